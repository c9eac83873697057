// Numbers and times as people read them.

/**
 * duration writes milliseconds in two units at most: "0.3 s", "42 s",
 * "3 min 20 s", "2 h 5 min", "4 d 3 h".
 */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 950) return `${Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  const total = Math.round(s);
  const two = (n: number, big: string, rest: number, small: string) => (rest ? `${n} ${big} ${rest} ${small}` : `${n} ${big}`);
  if (total < 60) return `${total} s`;
  if (total < 3600) return two(Math.floor(total / 60), "min", total % 60, "s");
  if (total < 86400) return two(Math.floor(total / 3600), "h", Math.floor((total % 3600) / 60), "min");
  return two(Math.floor(total / 86400), "d", Math.floor((total % 86400) / 3600), "h");
}

/** ago writes how far `at` is from `now`, both in milliseconds: "3 min ago", "in 2 h". */
export function ago(at: number, now: number): string {
  const d = Math.abs(now - at);
  if (d < 1000) return "now";
  const text = d < 60_000 ? `${Math.floor(d / 1000)} s`
    : d < 3_600_000 ? `${Math.floor(d / 60_000)} min`
    : d < 86_400_000 ? `${Math.floor(d / 3_600_000)} h`
    : `${Math.floor(d / 86_400_000)} d`;
  return at > now ? `in ${text}` : `${text} ago`;
}

const pad = (n: number) => String(n).padStart(2, "0");

/** moment writes a time in the reader's zone, to the second: "2026-03-01 14:05:09". */
export function moment(ms: number): string {
  const d = new Date(ms);
  return `${day(ms)} ${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

/** day writes a date in the reader's zone: "2026-03-01". */
export function day(ms: number): string {
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
}

/** clock writes a time of day in the reader's zone: "14:05". */
export function clock(ms: number): string {
  const d = new Date(ms);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

/** count writes a whole number with thin spaces: "12 345". */
export function count(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

/** bytes writes a size with binary units: "512 B", "1.4 MiB". */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  let value = n;
  for (const unit of ["KiB", "MiB", "GiB", "TiB"]) {
    value /= 1024;
    if (value < 1000) return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
  return `${Math.round(value)} TiB`;
}

/** plural writes a count with its noun: "1 run", "3 runs". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}
