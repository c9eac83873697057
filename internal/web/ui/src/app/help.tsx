import { Dialog } from "../ui/dialog";
import { useKeyList, type Key } from "./keys";

const names: Record<string, string> = {
  ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Enter: "Enter", Escape: "Esc", ctrl: "Ctrl", shift: "Shift", alt: "Alt", " ": "Space",
};

/** Press shows what to press. */
export function Press({ press }: { press: string }) {
  return (
    <span className="inline-flex flex-wrap items-center gap-1">
      {press.split(" ").map((part, i) => (
        <span key={i} className="inline-flex items-center gap-1">
          {i > 0 && <span className="text-soft">then</span>}
          {part.split("+").map((k) => (
            <kbd key={k} className="min-w-6 rounded border border-edge-strong bg-sunken px-1.5 text-center">{names[k] ?? k}</kbd>
          ))}
        </span>
      ))}
    </span>
  );
}

/** Help lists what the keyboard does on this page. */
export function Help({ onClose }: { onClose: () => void }) {
  const { keys, single, setSingle } = useKeyList();
  const groups = new Map<string, Key[]>();
  const seen = new Set<string>();
  for (const k of [...keys].reverse()) {
    if (seen.has(k.press)) continue; // hidden by one above it
    seen.add(k.press);
    const group = k.group ?? "This page";
    groups.set(group, [k, ...(groups.get(group) ?? [])]);
  }
  return (
    <Dialog title="Keyboard" size="medium" onClose={onClose}>
      <div className="grid gap-x-8 gap-y-5 sm:grid-cols-2">
        {[...groups].map(([group, list]) => (
          <section key={group}>
            <h3 className="mb-1 font-semibold">{group}</h3>
            <dl>
              {list.map((k) => (
                <div key={k.press} className="flex items-center justify-between gap-3 border-t border-edge py-1.5">
                  <dt className="text-soft">{k.does}</dt>
                  <dd><Press press={k.press} /></dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <label className="mt-5 flex items-center gap-2 border-t border-edge pt-3">
        <input type="checkbox" checked={single} onChange={(e) => setSingle(e.target.checked)} className="size-4 accent-accent" />
        Answer single keys, outside of fields
      </label>
    </Dialog>
  );
}
