import type { State } from "../api";

// How states look and read. A tone is a colour; the sign tells states of one
// tone apart, and says without colour what the colour says.

/** The eight tones that colours of states are named for. */
export type Tone = "wait" | "soon" | "live" | "hold" | "good" | "bad" | "cut" | "off";

/** The shapes that stand for states, drawn by `Sign` and by the canvases. */
export type SignName =
  | "ring" | "dots" | "play" | "pause" | "again" | "stop" | "tick" | "cross" | "clock" | "slash" | "skip" | "minus" | "question";

/** What a state is called, and how it is drawn. */
export interface Look {
  /** Ours: one lower-case word, as in "timed out". */
  word: string;
  tone: Tone;
  sign: SignName;
  /** Whether nothing more happens by itself. */
  final: boolean;
  /** A sentence for tooltips and the legend. */
  means: string;
}

const looks: Record<State, Look> = {
  w: { word: "waiting", tone: "wait", sign: "ring", final: false, means: "What it depends on has not ended." },
  q: { word: "ready", tone: "soon", sign: "dots", final: false, means: "May run, and waits for a slot." },
  t: { word: "starting", tone: "soon", sign: "dots", final: false, means: "On its way to a worker." },
  r: { word: "running", tone: "live", sign: "play", final: false, means: "Runs now." },
  d: { word: "deferred", tone: "hold", sign: "pause", final: false, means: "Waits for a job elsewhere; only a timer runs here." },
  u: { word: "retrying", tone: "hold", sign: "again", final: false, means: "An attempt failed and another is due." },
  z: { word: "resting", tone: "hold", sign: "pause", final: false, means: "A sensor that looks again later." },
  x: { word: "stopping", tone: "live", sign: "stop", final: false, means: "Is being ended." },
  s: { word: "succeeded", tone: "good", sign: "tick", final: true, means: "Ended well." },
  f: { word: "failed", tone: "bad", sign: "cross", final: true, means: "Its last attempt failed." },
  o: { word: "timed out", tone: "bad", sign: "clock", final: true, means: "Its last attempt ran past its time." },
  b: { word: "upstream failed", tone: "cut", sign: "slash", final: true, means: "Something before it failed, so it never ran." },
  k: { word: "skipped", tone: "off", sign: "skip", final: true, means: "Was not needed." },
  c: { word: "canceled", tone: "off", sign: "stop", final: true, means: "Was ended on request." },
  g: { word: "removed", tone: "off", sign: "minus", final: true, means: "Is not in the definition any more." },
};

const unknown: Look = { word: "unknown", tone: "wait", sign: "question", final: false, means: "A state that this page does not know." };

/** look returns how a task's state looks; a letter that is none looks unknown. */
export function look(state: string): Look {
  return looks[state as State] ?? unknown;
}

/** runLook returns how a run's state looks: it queues where a task would be ready, and is stopped, not canceled. */
export function runLook(state: string): Look {
  switch (state) {
    case "w":
    case "q":
      return { ...looks.q, word: "queued", means: "Has not begun: other runs are ahead of it." };
    case "d":
    case "u":
    case "z":
      return looks.r;
    case "r":
      return { ...looks.r, means: "Under way." };
    case "f":
      return { ...looks.f, means: "A task failed that the run depends on." };
    case "c":
    case "g":
      return { ...looks.c, word: "stopped" };
  }
  return look(state);
}

/** rowLook returns how a run in a list looks: as its state, unless a pause holds it. */
export function rowLook(r: { state: string; held: boolean }): Look {
  const l = runLook(r.state);
  return r.held && !l.final ? { ...l, word: `${l.word}, held`, tone: "hold", sign: "pause", means: "Paused: what runs goes on, nothing begins." } : l;
}

/** allStates lists the states of tasks in the order of a legend. */
export const allStates = Object.keys(looks) as State[];
