/* What a level looks like: its class of colour and shape, its word, and where it counts. */

export interface LevelLook {
  /** Suffix of the CSS class lv-… that carries colour and shape. */
  look: string;
  word: string;
  number: number;
}

const LOOKS: Record<string, LevelLook> = {
  TRACE: { look: "trace", word: "TRACE", number: 5 },
  DEBUG: { look: "debug", word: "DEBUG", number: 10 },
  VERBOSE: { look: "verbose", word: "VERBOSE", number: 15 },
  INFO: { look: "info", word: "INFO", number: 20 },
  NOTICE: { look: "notice", word: "NOTICE", number: 25 },
  WARNING: { look: "warn", word: "WARN", number: 30 },
  ERROR: { look: "error", word: "ERROR", number: 40 },
  ALERT: { look: "alert", word: "ALERT", number: 45 },
  CRITICAL: { look: "fatal", word: "CRITICAL", number: 50 },
  EMERGENCY: { look: "fatal", word: "EMERGENCY", number: 55 },
};

/** The levels by name, from the calmest up. */
export const LEVELS: Record<string, number> = Object.fromEntries(Object.entries(LOOKS).map(([name, look]) => [name, look.number]));

const UNKNOWN: LevelLook = { look: "none", word: "?", number: 0 };

export function levelLook(level: string): LevelLook {
  return LOOKS[level] ?? LOOKS[level.toUpperCase()] ?? { ...UNKNOWN, word: level.slice(0, 9) || "?" };
}

/** The band's classes from the horizon up, with the variable that colours each. */
export const BAND_CLASSES = ["fatal", "error", "warn", "info", "debug"] as const;
