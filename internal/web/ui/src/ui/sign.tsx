import { signs } from "../lib/signs";
import { look, rowLook, type Look, type SignName, type Tone } from "../lib/states";

// Whole class names, since Tailwind reads them from the source.
const badge: Record<Tone, string> = {
  wait: "text-wait bg-wait-tint",
  soon: "text-soon bg-soon-tint",
  live: "text-live bg-live-tint",
  hold: "text-hold bg-hold-tint",
  good: "text-good bg-good-tint",
  bad: "text-bad bg-bad-tint",
  cut: "text-cut bg-cut-tint",
  off: "text-off bg-off-tint",
};
const chip: Record<Tone, string> = {
  wait: "bg-wait-fill",
  soon: "bg-soon-fill",
  live: "bg-live-fill",
  hold: "bg-hold-fill",
  good: "bg-good-fill",
  bad: "bg-bad-fill",
  cut: "bg-cut-fill",
  off: "bg-off-fill",
};
const ink: Record<Tone, string> = {
  wait: "text-wait",
  soon: "text-soon",
  live: "text-live",
  hold: "text-hold",
  good: "text-good",
  bad: "text-bad",
  cut: "text-cut",
  off: "text-off",
};

/** toneInk is the class that writes in a tone. */
export function toneInk(tone: Tone): string {
  return ink[tone];
}

/** toneBadge is the classes of a tinted ground with ink on it. */
export function toneBadge(tone: Tone): string {
  return badge[tone];
}

/** toneFill is the class of a solid mark. */
export function toneFill(tone: Tone): string {
  return chip[tone];
}

/** Sign draws the shape of a state in the colour of the text around it. */
export function Sign({ name, className = "size-3.5" }: { name: SignName; className?: string }) {
  const { d, solid } = signs[name];
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" className={`shrink-0 ${className}`}
      fill={solid ? "currentColor" : "none"} stroke="currentColor" strokeWidth={solid ? 1 : 1.9} strokeLinecap="round" strokeLinejoin="round">
      <path d={d} />
    </svg>
  );
}

/** LookBadge shows a state as a word with its sign, on its tint. */
export function LookBadge({ look: l, className = "" }: { look: Look; className?: string }) {
  return (
    <span title={l.means} className={`inline-flex items-center gap-1 rounded-full px-2 py-px text-[0.93em] font-medium whitespace-nowrap ${badge[l.tone]} ${className}`}>
      <Sign name={l.sign} className={`size-3.5 ${l.sign === "play" ? "breathe" : ""}`} />
      {l.word}
    </span>
  );
}

/** TaskState shows the state of a task. */
export function TaskState({ state, className }: { state: string; className?: string }) {
  return <LookBadge look={look(state)} className={className} />;
}

/** RunState shows the state of a run; `held` says that a pause holds it. */
export function RunState({ state, held = false, className }: { state: string; held?: boolean; className?: string }) {
  return <LookBadge look={rowLook({ state, held })} className={className} />;
}

/** StateChip is a square with a sign, solid where it wants a look, where there is no room for words; `label` is said instead. */
export function StateChip({ look: l, label, className = "size-4" }: { look: Look; label?: string; className?: string }) {
  return (
    <span role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true}
      className={`inline-grid place-items-center rounded-[3px] ${l.tone === "good" ? badge.good : l.tone === "wait" ? "border border-wait-fill text-wait-fill" : `text-fill-ink ${chip[l.tone]}`} ${className}`}>
      <Sign name={l.sign} className="size-[80%]" />
    </span>
  );
}
