import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import type * as api from "../api";
import { duration } from "../lib/format";
import { look } from "../lib/states";
import { isFinal } from "./runData";

/** useAddress reads and changes the part of the address that says what is shown. */
export function useAddress() {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (change: Record<string, string | null>, push = false) => {
      setParams(
        (was) => {
          const is = new URLSearchParams(was);
          for (const [k, v] of Object.entries(change)) {
            if (v === null || v === "") is.delete(k);
            else is.set(k, v);
          }
          return is;
        },
        // At once, not in a transition: fields and selections read it back.
        { replace: !push, preventScrollReset: true, flushSync: true },
      );
    },
    [setParams],
  );
  return { read: (name: string) => params.get(name) ?? "", set };
}

/** sift returns the indexes of the tasks whose name or operator has the text and whose state is one of the letters. */
export function sift(t: api.Tasks, text: string, states: string): number[] {
  const want = text.trim().toLowerCase();
  const kinds = t.kinds.map((k) => k.toLowerCase().includes(want));
  const found: number[] = [];
  for (let i = 0; i < t.ids.length; i++) {
    if (states && !states.includes(t.states[i]!)) continue;
    if (want && !kinds[t.kind[i]!] && !t.ids[i]!.toLowerCase().includes(want)) continue;
    found.push(i);
  }
  return found;
}

/** useSifted returns the tasks that the address asks for. */
export function useSifted(t: api.Tasks | undefined, text: string, states: string): number[] {
  return useMemo(() => (t ? sift(t, text, states) : []), [t, text, states]);
}

/** took says how long the current attempt of a task has taken; "" before it began. */
export function took(t: api.Tasks, i: number, now: number): string {
  const from = t.started[i]!;
  if (from === 0) return "";
  if (t.ended[i]! > 0) return duration(t.ended[i]! - from);
  return isFinal(t.states[i]!) ? "" : duration(Math.max(0, now - from));
}

/** why says what a task waits for, or why it is as it is; "" where its state says all. */
export function why(t: api.Tasks, i: number, waits: ReadonlyMap<string, api.Wait>): string {
  if (!isFinal(t.states[i]!)) {
    const w = waits.get(t.ids[i]!);
    if (w?.text) return w.text;
  }
  return t.reasons[i] ?? "";
}

/** describe says of a task what a screen reader should say. */
export function describe(t: api.Tasks, i: number, waits: ReadonlyMap<string, api.Wait>): string {
  const more = why(t, i, waits);
  return `${t.ids[i]}, ${look(t.states[i]!).word}${more ? `: ${more}` : ""}`;
}
