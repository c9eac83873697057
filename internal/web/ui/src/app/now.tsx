import { useSyncExternalStore } from "react";
import { ago, duration, moment } from "../lib/format";

// One timer for all that shows time passing, and only while something does.
const watchers = new Set<() => void>();
let timer = 0;
let now = Date.now();

function watch(f: () => void) {
  watchers.add(f);
  if (!timer) {
    now = Date.now();
    timer = window.setInterval(() => {
      if (document.hidden) return;
      now = Date.now();
      for (const w of watchers) w();
    }, 1000);
  }
  return () => {
    watchers.delete(f);
    if (!watchers.size) {
      clearInterval(timer);
      timer = 0;
    }
  };
}

/** useNow returns the time in milliseconds, anew every second. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

/** Ago shows how long ago a time is, and the time itself on hover. */
export function Ago({ at, className }: { at: number; className?: string }) {
  const text = ago(at, useNow());
  return <time dateTime={new Date(at).toISOString()} title={moment(at)} className={`whitespace-nowrap ${className ?? ""}`}>{text}</time>;
}

/** Moment shows a time to the second. */
export function Moment({ at, className }: { at: number; className?: string }) {
  return <time dateTime={new Date(at).toISOString()} className={`whitespace-nowrap ${className ?? ""}`}>{moment(at)}</time>;
}

/** Lasts shows how long something took, or has taken so far when it has no end. */
export function Lasts({ from, to }: { from: number; to?: number | null }) {
  return to == null ? <Growing from={from} /> : <>{duration(to - from)}</>;
}

function Growing({ from }: { from: number }) {
  return <>{duration(Math.max(0, useNow() - from))}</>;
}
