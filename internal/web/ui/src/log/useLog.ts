import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState, type RefObject } from "react";
import * as api from "../api";
import { useLive } from "../app/live";
import { Buffer, type Chunk, type Line } from "./buffer";

/** Pixels of a row. */
export const rowHeight = 20;
/** How far beyond the screen lines are fetched, in pixels. */
const ahead = 2400;
/** Lines of the first request, which is to be quick, and of later ones. */
const firstLines = 200;
const moreLines = 600;

export interface Entry extends Line {
  t: number;
  level: api.Level;
  head: string;
  more: string;
  cut: number;
}

function entry(l: api.LogLine): Entry {
  const more = (l.more ?? "") + (l.cut ? `${l.more ? "\n" : ""}… ${l.cut} bytes of this line are in the download` : "");
  return { pos: l.at, next: l.next, t: l.t, level: l.level, head: l.text, more, cut: l.cut ?? 0, text: more ? `${l.text}\n${more}` : l.text };
}

function chunk(p: api.LogPage): Chunk<Entry> {
  return { lines: p.lines.map(entry), head: p.head, tail: p.tail, size: p.size };
}

/** Where the screen stands: on a line, so many pixels below its top. */
interface Anchor {
  pos: number;
  off: number;
}

/**
 * useLog shows a log of any size in a scrolling element: it fetches what
 * comes into sight, keeps a bounded stretch, and follows the end. One log,
 * one use: give the component a key.
 */
export function useLog(o: { run: string; task: string; attempt: number; level: api.Level; at: number; scroll: RefObject<HTMLElement | null> }) {
  const { run, task, attempt, level, scroll } = o;
  const [buffer] = useState(() => new Buffer<Entry>(rowHeight));
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [state, setState] = useState<"first" | "shown" | "none">("first");
  const [error, setError] = useState<unknown>();
  const [follow, setFollow] = useState(o.at < 0);
  const [ended, setEnded] = useState(false);
  const s = useRef({ follow: o.at < 0, anchor: undefined as Anchor | undefined, busy: { fore: false, back: false, jump: false }, epoch: 0, timer: 0, set: -1 });
  const abort = useRef(new AbortController());

  const ask = useCallback(
    (q: { from?: number; back?: boolean; limit?: number }) => api.log(run, task, attempt, { ...q, ...(level ? { level } : {}) }, { signal: abort.current.signal }),
    [run, task, attempt, level],
  );

  /** Remembers where the screen stands, so that what is added above it does not move it. */
  const hold = useCallback(() => {
    const el = scroll.current;
    if (!el || buffer.lines.length === 0) return;
    // Beyond the lines at hand there is nothing to stand on, and the reader
    // may be on the way: to put the screen anywhere would end the movement.
    if (el.scrollTop + el.clientHeight < buffer.top || el.scrollTop > buffer.bottom) return;
    const i = buffer.indexAt(el.scrollTop);
    s.current.anchor = { pos: buffer.lines[i]!.pos, off: el.scrollTop - buffer.placeOf(i) };
  }, [buffer, scroll]);

  const took = useCallback(
    (page: api.LogPage, how: "reset" | "fore" | "back") => {
      hold();
      const c = chunk(page);
      if (how === "reset") buffer.reset(c);
      else if (how === "fore") buffer.append(c);
      else buffer.prepend(c);
      setEnded(page.ended);
      setState(buffer.size === 0 && page.ended ? "none" : "shown");
      setError(undefined);
      draw();
    },
    [buffer, hold],
  );

  const failed = useCallback((e: unknown) => {
    if (e instanceof DOMException && e.name === "AbortError") return;
    if (e instanceof api.ApiError && e.kind === "notFound") setState("none");
    else setError(e);
  }, []);

  /** Shows the log around a position; undefined is the end. */
  const jump = useCallback(
    async (pos: number | undefined, top = 0.3) => {
      const epoch = ++s.current.epoch;
      s.current.busy.jump = true;
      try {
        if (pos === undefined) {
          const page = await ask({ limit: firstLines });
          if (epoch !== s.current.epoch) return;
          s.current.anchor = undefined;
          took(page, "reset");
          s.current.anchor = undefined;
        } else {
          const at = buffer.indexOf(pos);
          if (at < 0) {
            const page = await ask({ from: pos, limit: firstLines });
            if (epoch !== s.current.epoch) return;
            took(page, "reset");
          }
          s.current.anchor = { pos, off: -(scroll.current?.clientHeight ?? 0) * top };
          draw();
        }
      } catch (e) {
        failed(e);
      } finally {
        if (epoch === s.current.epoch) s.current.busy.jump = false;
      }
    },
    [ask, took, failed, buffer, scroll],
  );

  /** Fetches what the screen is about to need. */
  const fill = useCallback(async () => {
    const el = scroll.current;
    const { busy } = s.current;
    if (!el || busy.jump || state === "first") return;
    const epoch = s.current.epoch;
    const top = el.scrollTop;
    const bottom = top + el.clientHeight;
    if ((bottom < buffer.top - ahead && buffer.head > 0) || (top > buffer.bottom + ahead && buffer.tail < buffer.size)) {
      clearTimeout(s.current.timer);
      s.current.timer = window.setTimeout(() => {
        const pos = buffer.posAt(el.scrollTop);
        s.current.anchor = undefined;
        const e = ++s.current.epoch;
        s.current.busy.jump = true;
        ask({ from: pos, limit: moreLines })
          .then((page) => {
            if (e !== s.current.epoch) return;
            took(page, "reset");
            s.current.anchor = { pos: page.lines[0]?.at ?? page.head, off: 0 };
          }, failed)
          .finally(() => {
            if (e === s.current.epoch) s.current.busy.jump = false;
          });
      }, 60);
      return;
    }
    if (bottom > buffer.bottom - ahead && buffer.tail < buffer.size && !busy.fore) {
      busy.fore = true;
      try {
        const page = await ask({ from: buffer.tail, limit: moreLines });
        if (epoch === s.current.epoch && page.tail > buffer.tail) took(page, "fore");
      } catch (e) {
        failed(e);
      } finally {
        busy.fore = false;
      }
    }
    if (top < buffer.top + ahead && buffer.head > 0 && !busy.back && epoch === s.current.epoch) {
      busy.back = true;
      try {
        const page = await ask({ from: buffer.head, back: true, limit: moreLines });
        if (epoch === s.current.epoch && page.head < buffer.head) took(page, "back");
      } catch (e) {
        failed(e);
      } finally {
        busy.back = false;
      }
    }
  }, [ask, took, failed, buffer, scroll, state]);

  // The first screen, and again when other lines are wanted.
  const began = useRef(false);
  useEffect(() => {
    abort.current = new AbortController();
    const here = abort.current;
    const el = scroll.current;
    const keep = began.current && !s.current.follow && el && buffer.lines.length > 0 ? buffer.lines[buffer.indexAt(el.scrollTop)]!.pos : o.at;
    began.current = true;
    if (buffer.lines.length > 0) {
      buffer.reset({ lines: [], head: keep, tail: keep, size: buffer.size });
    }
    void jump(s.current.follow || keep < 0 ? undefined : keep);
    return () => here.abort();
    // `at` is where to begin, not where to stay.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [jump, buffer, scroll]);

  useLive(
    attempt > 0 ? (`log:${run}/${attempt}/${task}` as const) : null,
    (e) => {
      if (e.ended) setEnded(true);
      if (state === "first") return;
      if (!level && e.lines.length > 0 && e.from === buffer.tail && !s.current.busy.fore) {
        took({ lines: e.lines, head: e.from, tail: e.lines.at(-1)!.next, size: e.size, ended: e.ended }, "fore");
      } else {
        buffer.size = Math.max(buffer.size, e.size);
        if (state === "none" && e.size > 0) setState("shown");
        draw();
      }
    },
    () => {
      if (state !== "first") {
        ask({ from: buffer.tail, limit: moreLines }).then((page) => {
          if (page.head === buffer.tail) took(page, "fore");
          else buffer.size = Math.max(buffer.size, page.size);
        }, failed);
      }
    },
  );

  // After each drawing: stand where the screen stood, and fetch what is near.
  useLayoutEffect(() => {
    const el = scroll.current;
    if (!el || state !== "shown") return;
    const { anchor } = s.current;
    s.current.anchor = undefined;
    let to = el.scrollTop;
    if (s.current.follow) to = buffer.height;
    else if (anchor) {
      const i = buffer.indexOf(anchor.pos);
      if (i >= 0) to = buffer.placeOf(i) + anchor.off;
    }
    to = Math.max(0, Math.min(to, buffer.height - el.clientHeight));
    if (Math.abs(to - el.scrollTop) >= 1) {
      el.scrollTop = to;
      s.current.set = el.scrollTop;
    }
    void fill();
  });

  const onScroll = useCallback(() => {
    const el = scroll.current!;
    // Where we put it ourselves nobody has scrolled.
    if (Math.abs(el.scrollTop - s.current.set) > 1.5) {
      // The last pixel is the last line, however many bytes a pixel stands for.
      if (el.scrollTop + el.clientHeight >= el.scrollHeight - 2 && buffer.tail < buffer.size) {
        clearTimeout(s.current.timer);
        s.current.follow = true;
        setFollow(true);
        void jump(undefined);
        return;
      }
      // Up by any step lets go of the end; the end itself takes it up again.
      const end = el.scrollTop > s.current.set && el.scrollTop + el.clientHeight >= buffer.height - 2;
      if (s.current.follow !== end) {
        s.current.follow = end;
        setFollow(end);
      }
      s.current.set = -1;
    }
    draw();
  }, [buffer, scroll, jump]);

  const setFollowing = useCallback(
    (on: boolean) => {
      s.current.follow = on;
      setFollow(on);
      if (on && buffer.tail < buffer.size) void jump(undefined);
      else draw();
    },
    [buffer, jump],
  );

  return useMemo(
    () => ({
      buffer, state, error, ended, follow, onScroll, setFollow: setFollowing, redraw: draw,
      /** Shows a line, and stops following. */
      show: (pos: number) => {
        s.current.follow = false;
        setFollow(false);
        return jump(pos);
      },
      hold,
      top: () => scroll.current?.scrollTop ?? 0,
      /** The position of the line at the top of the screen. */
      here: () => buffer.lines[buffer.indexAt(scroll.current?.scrollTop ?? 0)]?.pos ?? 0,
      again: () => void jump(undefined),
    }),
    [buffer, state, error, ended, follow, onScroll, setFollowing, jump, hold, scroll],
  );
}
