/* The server's X-Ray API: sampling rules and groups, in X-Ray's own words. */

import { ApiError } from "./client.ts";

export interface SamplingRule {
  RuleName: string;
  RuleARN?: string;
  ResourceARN: string;
  Priority: number;
  FixedRate: number;
  ReservoirSize: number;
  ServiceName: string;
  ServiceType: string;
  Host: string;
  HTTPMethod: string;
  URLPath: string;
  Version: number;
  Attributes?: Record<string, string>;
}

export interface RuleRecord {
  SamplingRule: SamplingRule;
  CreatedAt?: number;
  ModifiedAt?: number;
}

export interface Group {
  GroupName: string;
  GroupARN: string;
  FilterExpression?: string;
}

interface Refusal {
  Message?: string;
  message?: string;
  __type?: string;
}

async function call<T>(operation: string, body: object): Promise<T> {
  let response: Response;
  const headers = { "Content-Type": "application/json" };
  try {
    response = await fetch(new URL(operation, document.baseURI), { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new ApiError("the server does not answer", 0);
  }
  const answer = (await response.json().catch(() => ({}))) as T & Refusal;
  if (!response.ok) throw new ApiError(answer.Message ?? answer.message ?? `the server answered ${response.status}`, response.status);
  return answer;
}

/* Every page of a list, at most twenty. */
async function all<T>(operation: string, member: string): Promise<T[]> {
  const found: T[] = [];
  let token: string | undefined;
  for (let page = 0; page < 20; page += 1) {
    const answer: Record<string, unknown> = await call(operation, token ? { NextToken: token } : {});
    found.push(...((answer[member] as T[] | undefined) ?? []));
    token = answer.NextToken as string | undefined;
    if (!token) break;
  }
  return found;
}

export async function askRules(): Promise<RuleRecord[]> {
  const found = await all<RuleRecord>("GetSamplingRules", "SamplingRuleRecords");
  return found.sort((a, b) => a.SamplingRule.Priority - b.SamplingRule.Priority);
}

export function createRule(rule: SamplingRule): Promise<unknown> {
  return call("CreateSamplingRule", { SamplingRule: rule });
}

export function updateRule(rule: Partial<SamplingRule>): Promise<unknown> {
  return call("UpdateSamplingRule", { SamplingRuleUpdate: rule });
}

export function deleteRule(name: string): Promise<unknown> {
  return call("DeleteSamplingRule", { RuleName: name });
}

export function askGroups(): Promise<Group[]> {
  return all<Group>("Groups", "Groups");
}

export function createGroup(name: string, expression: string): Promise<unknown> {
  return call("CreateGroup", { GroupName: name, FilterExpression: expression });
}

export function updateGroup(name: string, expression: string): Promise<unknown> {
  return call("UpdateGroup", { GroupName: name, FilterExpression: expression });
}

export function deleteGroup(name: string): Promise<unknown> {
  return call("DeleteGroup", { GroupName: name });
}
