import { createContext, use, useEffect, useMemo, useRef, useState, type ReactNode } from "react";

/** A Key is a shortcut: what to press, what it does, and where the list shows it. */
export interface Key {
  /** As in "g w" (one after the other), "ctrl+k", "?" or "ArrowDown". Single letters are lower case. */
  press: string;
  does: string;
  /** Heading in the list; the page's own without one. */
  group?: string;
  /**
   * What to do; the event's default is prevented. A key without it is only
   * listed: a part of the page that has the focus answers it itself.
   */
  run?: (e: KeyboardEvent) => void;
  /** Means nothing when it is picked from the search, such as a step from where the focus is. */
  keyOnly?: boolean;
}

class Keys {
  /** Later ones win: a page over the shell, a part over its page. */
  layers: (readonly Key[])[] = [];
  /** Readers who speak to their machine, or whose hands shake, turn single keys off. */
  single = localStorage.getItem("fairlead.keys") !== "off";
  watchers = new Set<() => void>();

  changed() {
    for (const w of this.watchers) w();
  }
  all(): Key[] {
    return this.layers.flat();
  }
  setSingle(on: boolean) {
    this.single = on;
    if (on) localStorage.removeItem("fairlead.keys");
    else localStorage.setItem("fairlead.keys", "off");
    this.changed();
  }
}

const Context = createContext<Keys | null>(null);

/** name writes what was pressed as Key.press does. */
function name(e: KeyboardEvent): string {
  const k = e.key.length === 1 ? e.key.toLowerCase() : e.key;
  const mods = `${e.ctrlKey || e.metaKey ? "ctrl+" : ""}${e.altKey ? "alt+" : ""}`;
  // A shifted sign is named by the sign; a shifted letter by shift.
  const shift = e.shiftKey && (e.key.length > 1 || /[a-z]/.test(k)) ? "shift+" : "";
  return mods + shift + k;
}

function typing(e: KeyboardEvent): boolean {
  const t = e.target;
  return t instanceof HTMLElement && (t.isContentEditable || t.matches("input:not([type=checkbox], [type=radio], [type=button]), textarea, select"));
}

const sequenceTime = 1200;

/** KeysProvider hears the keyboard for the whole page. */
export function KeysProvider({ children }: { children: ReactNode }) {
  const keys = useMemo(() => new Keys(), []);
  useEffect(() => {
    let first = "";
    let at = 0;
    const on = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.isComposing) return;
      const pressed = name(e);
      const plain = !e.ctrlKey && !e.metaKey && !e.altKey;
      if (plain && (typing(e) || (!keys.single && e.key.length === 1))) return;
      // Dialogs and menus have the keyboard for themselves.
      if (document.querySelector("dialog[open], [role=menu]")) return;
      const sequence = first && e.timeStamp - at < sequenceTime ? `${first} ${pressed}` : "";
      const candidates = keys.all().reverse();
      const hit = (sequence && candidates.find((k) => k.press === sequence && k.run)) || candidates.find((k) => k.press === pressed && k.run);
      if (hit) {
        first = "";
        e.preventDefault();
        hit.run?.(e);
        return;
      }
      first = candidates.some((k) => k.press.startsWith(`${pressed} `)) ? pressed : "";
      at = e.timeStamp;
    };
    document.addEventListener("keydown", on);
    return () => document.removeEventListener("keydown", on);
  }, [keys]);
  return <Context value={keys}>{children}</Context>;
}

function useContextKeys(): Keys {
  const keys = use(Context);
  if (!keys) throw new Error("keys are used outside of KeysProvider");
  return keys;
}

/**
 * useKeys answers shortcuts while the caller is mounted. The list may be
 * another one at each render; what it does is always that of the last.
 */
export function useKeys(list: readonly Key[]) {
  const keys = useContextKeys();
  const latest = useRef(list);
  latest.current = list;
  const shape = list.map((k) => `${k.press}\t${k.does}\t${k.group ?? ""}\t${k.run ? 1 : 0}`).join("\n");
  useEffect(() => {
    const layer = latest.current.map<Key>((k, i) => ({
      press: k.press, does: k.does, ...(k.group ? { group: k.group } : {}), ...(k.keyOnly ? { keyOnly: true } : {}),
      ...(k.run ? { run: (e: KeyboardEvent) => latest.current[i]?.run?.(e) } : {}),
    }));
    keys.layers.push(layer);
    keys.changed();
    return () => {
      keys.layers.splice(keys.layers.indexOf(layer), 1);
      keys.changed();
    };
  }, [keys, shape]);
}

/** useKeyList returns the shortcuts of the moment and whether single keys are on. */
export function useKeyList() {
  const keys = useContextKeys();
  const [, again] = useState(0);
  useEffect(() => {
    const w = () => again((n) => n + 1);
    keys.watchers.add(w);
    return () => void keys.watchers.delete(w);
  }, [keys]);
  return { keys: keys.all(), single: keys.single, setSingle: (on: boolean) => keys.setSingle(on) };
}
