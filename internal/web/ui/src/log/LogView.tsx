import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import * as api from "../api";
import { useKeys } from "../app/keys";
import { bytes, count } from "../lib/format";
import { Button, IconButton } from "../ui/button";
import { Icon } from "../ui/icons";
import { Menu, MenuChoice, MenuChoices, MenuItem } from "../ui/menu";
import { Empty, Failure, Loading } from "../ui/page";
import { useLog, type Entry } from "./useLog";
import { indexAfter, useSearch } from "./useSearch";

interface Props {
  run: string;
  task: string;
  attempt: number;
  /** A position to begin at; -1 is the end. */
  at: number;
  level: api.Level;
  text: string;
  /** Keeps what is shown in the address. */
  onShow(change: { line?: string | null; level?: string | null; find?: string | null }): void;
  /** Why there is no log, should there be none. */
  none: string;
}

const levels: Record<string, string> = { "": "All levels", i: "Info and worse", w: "Warnings and errors", e: "Errors" };
const marks: Record<api.Level, { word: string; ink: string }> = {
  d: { word: "debug", ink: "text-soft" }, i: { word: "info", ink: "text-live" }, w: { word: "warn", ink: "text-hold" }, e: { word: "error", ink: "text-bad" }, "": { word: "", ink: "text-soft" },
};

/** LogView shows the log of an attempt, of any size, while it is written. */
export function LogView(p: Props) {
  const scroll = useRef<HTMLDivElement>(null);
  const log = useLog({ run: p.run, task: p.task, attempt: p.attempt, level: p.level, at: p.at, scroll });
  const { buffer } = log;
  const search = useSearch(p.run, p.task, p.attempt, p.text, p.level, buffer.size);
  const { found } = search;
  const [wrap, setWrap] = useState(() => localStorage.getItem("fairlead.wrap") !== "off");
  const [said, setSaid] = useState("");
  const [current, setCurrent] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  const box = useSize(scroll);
  const char = useCharWidth(scroll);
  const gutter = box.w < 640 ? 22 : 22 + 14 * char;
  const columns = wrap ? Math.max(10, Math.floor((box.w - gutter - 12) / char)) : 0;

  const { hold, redraw } = log;
  useLayoutEffect(() => {
    if (buffer.columns === columns) return;
    hold();
    buffer.wrapAt(columns);
    redraw();
  }, [buffer, columns, hold, redraw]);

  useEffect(() => setCurrent(-1), [p.text, p.level]);
  const go = (way: 1 | -1) => {
    if (found.at.length === 0) return;
    const from = current >= 0 ? current : way > 0 ? log.here() - 1 : log.here();
    const i = way > 0 ? indexAfter(found.at, from + 1) : indexAfter(found.at, from) - 1;
    const pos = found.at[(i + found.at.length) % found.at.length]!;
    setCurrent(pos);
    void log.show(pos);
  };
  // What is looked for shows up as soon as it is found.
  const first = found.at.length > 0;
  useEffect(() => {
    if (first && p.text && current < 0 && document.activeElement === field.current) go(1);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [first, p.text]);

  const toError = async (back: boolean) => {
    try {
      const from = current >= 0 && buffer.indexOf(current) >= 0 ? current : log.here();
      const line = buffer.lines[buffer.indexOf(from)];
      const pos = await search.next("e", back ? from : current >= 0 && line ? line.next : from, back);
      if (pos < 0) {
        setSaid(back ? "No error before this place." : "No error after this place.");
        return;
      }
      setSaid("");
      setCurrent(pos);
      await log.show(pos);
    } catch (e) {
      setSaid(e instanceof Error ? e.message : String(e));
    }
  };

  useKeys([
    { press: "f", does: "Search the log", group: "Log", run: () => field.current?.focus() },
    { press: "n", does: "Next match", group: "Log", run: () => go(1) },
    { press: "shift+n", does: "Previous match", group: "Log", run: () => go(-1) },
    { press: "e", does: "Next error", group: "Log", run: () => void toError(false) },
    { press: "shift+e", does: "Previous error", group: "Log", run: () => void toError(true) },
    { press: "w", does: "Wrap long lines, or not", group: "Log", run: () => changeWrap(!wrap) },
    { press: "shift+g", does: "Go to the end, and follow it", group: "Log", run: () => log.setFollow(true) },
  ]);
  const changeWrap = (on: boolean) => {
    localStorage.setItem("fairlead.wrap", on ? "on" : "off");
    setWrap(on);
  };
  const fieldKey = (e: KeyboardEvent) => {
    if (e.key === "Enter") go(e.shiftKey ? -1 : 1);
    else if (e.key === "Escape") {
      p.onShow({ find: null });
      scroll.current?.focus();
    } else return;
    e.preventDefault();
  };

  if (log.error && log.state === "first") return <Failure error={log.error} retry={log.again} />;
  const place = current >= 0 ? indexAfter(found.at, current) : -1;
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1.5 border-b border-edge px-2 py-1.5">
        <div className="flex min-w-40 flex-1 items-center gap-1">
          <label className="relative min-w-0 flex-1 sm:max-w-80">
            <span className="sr-only">Search the log</span>
            <span className="pointer-events-none absolute inset-y-0 left-2.5 grid place-items-center text-soft">
              <Icon name="search" className="size-3.5" />
            </span>
            <input
              ref={field}
              type="search"
              value={p.text}
              maxLength={200}
              placeholder="Search the log"
              onChange={(e) => p.onShow({ find: e.target.value })}
              onKeyDown={fieldKey}
              className="h-8 w-full rounded-md border border-edge-strong bg-sheet pr-2 pl-8 pointer-coarse:h-10"
            />
          </label>
          {p.text && (
            <>
              <span role="status" className="shrink-0 px-1 text-[0.93em] text-soft">
                {search.error || (!found.whole && !first ? "searching…" : `${place >= 0 && found.at[place] === current ? `${count(place + 1)} of ` : ""}${count(found.at.length)}${found.more || !found.whole ? "+" : ""}`)}
              </span>
              <IconButton icon="up" label="Previous match (shift Enter)" disabled={!first} onClick={() => go(-1)} />
              <IconButton icon="down" label="Next match (Enter)" disabled={!first} onClick={() => go(1)} />
            </>
          )}
        </div>
        <Menu
          trigger={
            <Button kind="quiet" icon="filter">
              {levels[p.level]}
            </Button>
          }
        >
          <MenuChoices label="Lines" value={p.level || "all"} onChange={(v) => p.onShow({ level: v === "all" ? null : v })}>
            <MenuChoice value="all">{levels[""]}</MenuChoice>
            <MenuChoice value="i">{levels["i"]}</MenuChoice>
            <MenuChoice value="w">{levels["w"]}</MenuChoice>
            <MenuChoice value="e">{levels["e"]}</MenuChoice>
          </MenuChoices>
        </Menu>
        <Button kind="quiet" icon="alert" title="Next error (e)" onClick={() => void toError(false)}>
          Next error
        </Button>
        <Toggle on={wrap} onChange={changeWrap}>
          Wrap
        </Toggle>
        <Toggle on={log.follow} onChange={log.setFollow}>
          Follow
        </Toggle>
        <Menu trigger={<IconButton icon="download" label="Download the log" />}>
          <MenuItem onSelect={() => location.assign(api.logDownload(p.run, p.task, p.attempt, "text"))}>As text</MenuItem>
          <MenuItem onSelect={() => location.assign(api.logDownload(p.run, p.task, p.attempt, "json"))}>As it was written</MenuItem>
        </Menu>
      </div>
      <p role="status" className={said ? "border-b border-edge bg-hold-tint px-3 py-1 text-hold" : "sr-only"}>
        {said}
      </p>
      <div className="relative min-h-0 flex-1">
        <div
          ref={scroll}
          role="region"
          aria-label={`Log of attempt ${p.attempt}`}
          tabIndex={0}
          data-testid="log"
          onScroll={log.onScroll}
          onKeyDown={(e) => {
            // The browser would glide there, past all that lies between.
            if (e.key === "Home") void log.show(0);
            else if (e.key === "End") log.setFollow(true);
            else return;
            e.preventDefault();
          }}
          className="absolute inset-0 overflow-auto bg-sunken font-mono text-[12.5px] leading-5 outline-offset-[-2px]"
          style={{ overflowAnchor: "none" }}
        >
          {log.state === "shown" && <Lines {...{ log, box, wrap, char, gutter, text: p.text, current: current >= 0 ? current : p.at }} onLine={(pos) => p.onShow({ line: String(pos) })} />}
        </div>
        {log.state === "first" && <Loading label="Reading the log" />}
        {log.state === "none" && (
          <div className="absolute inset-0 overflow-auto bg-sheet">
            <Empty icon="list" title="No log">
              {p.none}
            </Empty>
          </div>
        )}
        {log.error !== undefined && log.state !== "first" && (
          <p role="alert" className="absolute inset-x-2 bottom-2 rounded-md bg-bad-tint px-3 py-2 text-bad">
            {log.error instanceof Error ? log.error.message : String(log.error)}
          </p>
        )}
      </div>
      <div className="flex justify-between gap-3 border-t border-edge px-3 py-1 text-[0.86em] text-soft">
        <span>{bytes(buffer.size)}</span>
        <span>{log.state === "none" ? "" : log.ended ? "complete" : log.follow ? "following" : "being written"}</span>
      </div>
    </div>
  );
}

function Toggle(p: { on: boolean; onChange(on: boolean): void; children: string }) {
  return (
    <Button kind="quiet" aria-pressed={p.on} onClick={() => p.onChange(!p.on)} className={p.on ? "bg-picked text-ink" : ""}>
      {p.children}
    </Button>
  );
}

function Lines(p: {
  log: ReturnType<typeof useLog>; box: { w: number; h: number }; wrap: boolean; char: number; gutter: number; text: string; current: number; onLine(pos: number): void;
}) {
  const { buffer } = p.log;
  const top = p.log.top();
  const from = buffer.indexAt(top - 300);
  const to = Math.min(buffer.lines.length - 1, buffer.indexAt(top + p.box.h + 300));
  const find = useMemo(() => finder(p.text), [p.text]);
  const rows = [];
  for (let i = from; i <= to; i++) {
    const l = buffer.lines[i]!;
    rows.push(
      <LogLine
        key={l.pos}
        line={l}
        top={buffer.placeOf(i)}
        height={buffer.placeOf(i + 1) - buffer.placeOf(i)}
        wrap={p.wrap}
        gutter={p.gutter}
        find={find}
        here={l.pos <= p.current && p.current < l.next}
        onLine={p.onLine}
      />,
    );
  }
  return (
    <div className="relative" style={{ height: Math.max(buffer.height, p.box.h), width: p.wrap ? "100%" : Math.max(p.box.w, p.gutter + (buffer.longest + 2) * p.char) }}>
      {rows}
    </div>
  );
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });

const LogLine = memo(function LogLine(p: { line: Entry; top: number; height: number; wrap: boolean; gutter: number; find: RegExp | null; here: boolean; onLine(pos: number): void }) {
  const l = p.line;
  const m = marks[l.level];
  return (
    <div
      className={`absolute inset-x-0 flex overflow-hidden pr-3 ${p.here ? "bg-hold-tint" : l.level === "e" ? "bg-bad-tint" : ""}`}
      style={{ top: p.top, height: p.height }}
    >
      <span
        className="flex shrink-0 cursor-pointer justify-end gap-2 pr-2.5 text-soft select-none"
        style={{ width: p.gutter }}
        title={`${l.t > 0 ? new Date(l.t).toISOString() : ""} ${m.word} – a click puts this line into the address`}
        onClick={() => p.onLine(l.pos)}
      >
        {p.gutter > 100 && l.t > 0 && clock.format(l.t)}
        <b className={`w-2 font-normal ${m.ink}`}>{m.word.slice(0, 1).toUpperCase()}</b>
      </span>
      <span className={`min-w-0 flex-1 ${p.wrap ? "break-all whitespace-pre-wrap" : "whitespace-pre"} ${l.level === "e" ? "text-bad" : l.level === "w" ? "text-hold" : l.level === "d" ? "text-soft" : ""}`}>
        {marked(l.head, p.find)}
        {l.more && <span className="text-soft">{"\n"}{marked(l.more, p.find)}</span>}
      </span>
    </div>
  );
});

function finder(text: string): RegExp | null {
  return text.trim() === "" ? null : new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
}

/** The text with what was looked for marked. */
function marked(text: string, find: RegExp | null) {
  if (!find) return text;
  const parts = [];
  let last = 0;
  for (const hit of text.matchAll(find)) {
    if (hit.index > last) parts.push(text.slice(last, hit.index));
    parts.push(
      <mark key={hit.index} className="rounded-xs bg-hold-fill text-fill-ink">
        {hit[0]}
      </mark>,
    );
    last = hit.index + hit[0].length;
    if (parts.length > 200) break;
  }
  if (parts.length === 0) return text;
  parts.push(text.slice(last));
  return parts;
}

function useSize(of: React.RefObject<HTMLElement | null>): { w: number; h: number } {
  const [size, set] = useState({ w: 0, h: 0 });
  useLayoutEffect(() => {
    const el = of.current!;
    const measure = () => set({ w: el.clientWidth, h: el.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(el);
    measure();
    return () => watch.disconnect();
  }, [of]);
  return size;
}

/** The width of a character, which is known once the font is there. */
function useCharWidth(of: React.RefObject<HTMLElement | null>): number {
  const [width, set] = useState(7.5);
  useLayoutEffect(() => {
    const measure = () => {
      const probe = document.createElement("span");
      probe.textContent = "0".repeat(100);
      probe.style.position = "absolute";
      probe.style.visibility = "hidden";
      of.current?.append(probe);
      const w = probe.getBoundingClientRect().width / 100;
      probe.remove();
      if (w > 0) set(w);
    };
    measure();
    void document.fonts.ready.then(measure);
  }, [of]);
  return width;
}
