/* The pages there are; a drawer on narrow screens. */

import { followLink, path } from "../address/address.ts";
import { Icon, type IconName } from "../parts/Icon.tsx";

const PAGES: { to: string; path: string; icon: IconName; name: string }[] = [
  { to: "/logs?live=1", path: "/logs", icon: "logs", name: "Logs" },
  { to: "/traces", path: "/traces", icon: "traces", name: "Traces" },
  { to: "/map", path: "/map", icon: "map", name: "Map" },
  { to: "/query", path: "/query", icon: "query", name: "Query" },
  { to: "/welcome", path: "/welcome", icon: "home", name: "Start" },
];
const HEALTH = { to: "/system", path: "/system", icon: "health" as IconName, name: "Health" };
const SETTINGS = { to: "/settings", path: "/settings", icon: "settings" as IconName, name: "Settings" };

function Mark() {
  return (
    <svg width="26" height="26" viewBox="0 0 26 26" role="img" aria-label="clerestory">
      <path d="M2 15V8.500a2 2 0 014 0V15zM8 15V8.500a2 2 0 014 0V15zM20 15V8.500a2 2 0 014 0V15z"
        fill="none" stroke="currentColor" stroke-width="1.300" />
      <path d="M14 15V8.500a2 2 0 014 0V15z" fill="var(--accent)" stroke="var(--accent)" stroke-width="1.300" />
      <path d="M1 18.500h24" stroke="currentColor" stroke-width="2" />
      <path d="M4 22h18" stroke="currentColor" stroke-width="1.200" opacity=".45" />
    </svg>
  );
}

function Entry({ page }: { page: (typeof PAGES)[number] }) {
  const isHere = path.value === page.path || path.value.startsWith(`${page.path}/`);
  return (
    <a href={`.${page.to}`} data-page={page.to} aria-current={isHere ? "page" : undefined}>
      <Icon name={page.icon} />{page.name}
    </a>
  );
}

export function Rail() {
  return (
    <nav class="rail" id="rail" aria-label="Pages" onClick={followLink}>
      <div class="mark"><Mark /></div>
      {PAGES.map((page) => <Entry key={page.path} page={page} />)}
      <span class="push" />
      <Entry page={HEALTH} />
      <Entry page={SETTINGS} />
    </nav>
  );
}
