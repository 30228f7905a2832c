// What the engine, QuickJS, lacks or does in its own way. It is yours to change.

import { getStderr } from "wasi:cli/stderr@0.2.6";

// `console` writes to the host's log, which `taskcell -v` shows.
const write = (...values) => {
  const utf8 = unescape(encodeURIComponent(`${values.map(shown).join(" ")}\n`.toWellFormed()));
  const bytes = Uint8Array.from(utf8, (byte) => byte.charCodeAt(0));
  const stderr = getStderr();
  // It takes 4096 bytes at a time.
  for (let at = 0; at < bytes.length; at += 4096) stderr.blockingWriteAndFlush(bytes.slice(at, at + 4096));
};

globalThis.console = { debug: write, error: write, info: write, log: write, warn: write };

function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value}\n${value.stack}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A BigInt, or an object that holds itself.
    return String(value);
  }
}

// A u32 of 2^31 and more, such as a long `ttl`, arrives as a negative number, and must be given back as one. What is handed on
// as it came is right.
export const fromU32 = (number) => number >>> 0;
export const toU32 = (number) => number | 0;
