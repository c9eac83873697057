/** Times on a line of pixels: steps that people count in, and their names. */

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const steps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second, minute, 2 * minute, 5 * minute, 10 * minute,
  15 * minute, 30 * minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day, 28 * day,
];

export interface Tick {
  at: number;
  label: string;
}

/** ticksOf marks the times from..to at the least distance, in milliseconds, that leaves room for labels. */
export function ticksOf(from: number, to: number, least: number, origin: number): Tick[] {
  const step = steps.find((s) => s >= least) ?? steps.at(-1)!;
  const ticks: Tick[] = [];
  for (let at = origin + Math.ceil((from - origin) / step) * step; at <= to && ticks.length < 200; at += step) ticks.push({ at, label: since(at - origin, step) });
  return ticks;
}

/** since writes a distance from the beginning, as exactly as the step asks. */
function since(ms: number, step: number): string {
  if (ms === 0) return "0";
  const sign = ms < 0 ? "−" : "+";
  const t = Math.abs(ms);
  const d = Math.floor(t / day);
  const h = Math.floor((t % day) / hour);
  const m = Math.floor((t % hour) / minute);
  const s = Math.floor((t % minute) / second);
  const two = (n: number) => String(n).padStart(2, "0");
  if (step >= day) return `${sign}${d} d`;
  if (step >= hour) return d > 0 ? `${sign}${d} d ${h} h` : `${sign}${h} h`;
  const clock = d > 0 ? `${d} d ${two(h)}:${two(m)}` : h > 0 ? `${h}:${two(m)}` : `${m}`;
  if (step >= minute) return h > 0 || d > 0 ? sign + clock : `${sign}${m} min`;
  if (step >= second) return t < minute ? `${sign}${s} s` : `${sign}${clock}:${two(s)}`;
  const part = (t % minute) / second;
  const text = part.toFixed(step >= 100 ? 1 : step >= 10 ? 2 : 3);
  return t < minute ? `${sign}${text} s` : `${sign}${clock}:${part < 10 ? "0" : ""}${text}`;
}
