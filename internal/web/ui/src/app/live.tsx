import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useEffect, useMemo, useRef, useSyncExternalStore, type ReactNode } from "react";
import { eventsURL, type LogEvent, type OmicsEvent, type RunEvent, type Topic, type WorkflowEvent, type WorkflowsEvent } from "../api";
import { sessionKey } from "./session";

/** Whether changes arrive: `idle` when nothing on the page could change. */
export type LiveState = "idle" | "connecting" | "live" | "lost";

/** What a topic sends, by its first word. */
export interface LiveEvents {
  workflows: WorkflowsEvent;
  omics: OmicsEvent;
  workflow: WorkflowEvent;
  run: RunEvent;
  log: LogEvent;
}

interface Listener {
  topic: Topic;
  on: (e: never) => void;
  reset: () => void;
}

/** How long after the stream stands what was read before is read again. */
const settled = 1000;

/**
 * A Stream is the page's one connection for events. It carries what the page
 * listens to, is shut while the page is hidden, and goes on from the last
 * event where the server still has what came after.
 */
class Stream {
  private listeners = new Set<Listener>();
  private source: EventSource | null = null;
  /** The topics of the connection, and of the last one. */
  private open = "";
  private topics = "";
  private last = "";
  private timer = 0;
  private late = 0;
  private tries = 0;
  private watchers = new Set<() => void>();
  state: LiveState = "idle";
  /** Called when the server refuses the stream: the session may be over. */
  refused: () => void = () => {};

  constructor() {
    document.addEventListener("visibilitychange", () => this.soon());
    // A page that the browser keeps for the way back holds no connection.
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.soon());
    addEventListener("online", () => this.soon());
  }

  watch = (f: () => void) => {
    this.watchers.add(f);
    return () => void this.watchers.delete(f);
  };

  listen(l: Listener) {
    this.listeners.add(l);
    this.soon();
    return () => {
      this.listeners.delete(l);
      this.soon();
    };
  }

  /** Waits for the page to have said all that it listens to. */
  private soon(after = 0) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.sync(), after);
  }

  private set(state: LiveState) {
    if (state === this.state) return;
    this.state = state;
    for (const w of this.watchers) w();
  }

  private close() {
    clearTimeout(this.late);
    this.source?.close();
    this.source = null;
    this.open = "";
  }

  private sync() {
    const topics = [...new Set([...this.listeners].map((l) => l.topic))].sort().slice(0, 8);
    const want = document.hidden ? "" : topics.join("\n");
    if (want === this.open && this.source) return;
    // Going on is for the same topics; others begin now.
    const same = topics.join("\n") === this.topics;
    if (want) this.topics = want;
    this.close();
    if (!want) {
      this.set(topics.length ? "connecting" : "idle");
      return;
    }
    this.set("connecting");
    const began = !same || this.last === "";
    if (!same) this.last = "";
    const source = new EventSource(eventsURL(topics, this.last));
    this.source = source;
    this.open = want;
    source.addEventListener("hello", () => {
      this.tries = 0;
      this.set("live");
      // Pages read without waiting for the stream, so what they have read may
      // be older than it. They read again when the first haste is over.
      if (began) this.late = window.setTimeout(() => this.reset(), settled);
    });
    source.addEventListener("reset", () => this.reset());
    for (const name of ["workflows", "omics", "workflow", "run", "log"]) {
      source.addEventListener(name, (m: MessageEvent<string>) => {
        this.last = m.lastEventId;
        const e = JSON.parse(m.data) as { topic: Topic };
        for (const l of this.listeners) if (l.topic === e.topic) l.on(e as never);
      });
    }
    source.onerror = () => {
      if (source !== this.source) return;
      this.set("lost");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      this.close();
      if (this.tries++ === 0) this.refused();
      this.soon(Math.min(30_000, 1000 * 2 ** this.tries));
    };
  }

  private reset() {
    for (const l of this.listeners) l.reset();
  }
}

const Context = createContext<Stream | null>(null);

/** LiveProvider holds the page's stream of events. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const stream = useMemo(() => new Stream(), []);
  stream.refused = () => void client.invalidateQueries({ queryKey: sessionKey });
  return <Context value={stream}>{children}</Context>;
}

function useStream(): Stream {
  const s = use(Context);
  if (!s) throw new Error("events are used outside of LiveProvider");
  return s;
}

/** useLiveState returns whether changes arrive. */
export function useLiveState(): LiveState {
  const s = useStream();
  return useSyncExternalStore(s.watch, () => s.state);
}

/**
 * useLive hears the events of a topic while the caller is mounted; null hears
 * nothing. `on` patches what is shown; `reset` is called when something may
 * have been missed, also once soon after the stream came to stand: read
 * everything again there. Both may change from render to render. It returns
 * whether to read what the topic is about.
 */
export function useLive<K extends keyof LiveEvents>(
  topic: (K extends "workflows" ? "workflows" : K extends "omics" ? "omics" : `${K}:${string}`) | null,
  on: (e: LiveEvents[K]) => void,
  reset: () => void,
): boolean {
  const stream = useStream();
  const latest = useRef({ on, reset });
  latest.current = { on, reset };
  useEffect(() => {
    if (!topic) return;
    return stream.listen({ topic, on: (e) => latest.current.on(e), reset: () => latest.current.reset() });
  }, [stream, topic]);
  return topic !== null;
}
