import { useCallback, useEffect, useRef, useState } from "react";
import * as api from "../api";

/** Matches that are counted; who finds more should ask for something else. */
const most = 5000;

export interface Found {
  /** Positions of the lines that match, in order. */
  at: number[];
  /** Whether the whole log has been looked through. */
  whole: boolean;
  /** Whether there are more than are counted. */
  more: boolean;
}

const nothing: Found = { at: [], whole: true, more: false };

/** useSearch looks through a whole log on the server, a part at a time. */
export function useSearch(run: string, task: string, attempt: number, text: string, level: api.Level, size: number) {
  const [found, setFound] = useState<Found>(nothing);
  const [error, setError] = useState("");
  const sizeNow = useRef(size);
  sizeNow.current = size;
  useEffect(() => {
    setError("");
    if (text.trim() === "") {
      setFound(nothing);
      return;
    }
    const abort = new AbortController();
    setFound({ at: [], whole: false, more: false });
    const look = async () => {
      const at: number[] = [];
      let from = 0;
      for (;;) {
        const page = await api.searchLog(run, task, attempt, { q: text, ...(level ? { level } : {}), from, limit: most - at.length }, { signal: abort.signal });
        at.push(...page.at);
        const whole = page.next < 0 || page.next <= from;
        const more = at.length >= most;
        setFound({ at: at.slice(), whole: whole || more, more: more && !whole });
        if (whole || more) return;
        from = page.next;
      }
    };
    const timer = setTimeout(() => {
      look().catch((e: unknown) => {
        if (e instanceof DOMException && e.name === "AbortError") return;
        setError(e instanceof Error ? e.message : String(e));
        setFound(nothing);
      });
    }, 200);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [run, task, attempt, text, level]);

  /** The first line of a level after (or before) a position; -1 without one. */
  const next = useCallback(
    async (of: api.Level, from: number, back: boolean): Promise<number> => {
      for (;;) {
        const page = await api.searchLog(run, task, attempt, { level: of, from, back, limit: 1 });
        const hit = back ? page.at.at(-1) : page.at[0];
        if (hit !== undefined) return hit;
        if (page.next < 0 || page.next === from) return -1;
        from = page.next;
      }
    },
    [run, task, attempt],
  );
  return { found, error, next };
}

/** indexAfter returns the first index whose position is at least pos. */
export function indexAfter(at: number[], pos: number): number {
  let lo = 0;
  let hi = at.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if (at[mid]! < pos) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}
