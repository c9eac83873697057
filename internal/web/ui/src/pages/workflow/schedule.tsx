import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { calendar as readCalendar, type CalendarDay, type State, type Workflow } from "../../api";
import { keys } from "../../app/cache";
import { useCanAct } from "../../app/session";
import { clock, day, plural } from "../../lib/format";
import { allStates, runLook } from "../../lib/states";
import { Button, IconButton } from "../../ui/button";
import { Empty, Failure, Loading, Sheet } from "../../ui/page";
import { LookBadge, Sign, toneBadge } from "../../ui/sign";

const monthName = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });
const weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const months = 6;

/** What a day with several runs is shown as: the one that most wants a look. */
const worst: readonly State[] = ["f", "o", "r", "x", "t", "q", "w", "c", "g", "k", "s"];

/** ScheduleTab shows what ran on which day and what is to come. */
export default function ScheduleTab({ workflow: w, onBackfill }: { workflow: Workflow; onBackfill: () => void }) {
  const canAct = useCanAct();
  const [page, setPage] = useState(0);
  const [picked, pick] = useState<string | null>(null);
  const range = useMemo(() => {
    const now = new Date();
    const first = new Date(now.getFullYear(), now.getMonth() - 3 + page * months, 1);
    const list = Array.from({ length: months }, (_, i) => new Date(first.getFullYear(), first.getMonth() + i, 1));
    return { list, from: day(first.getTime()), to: day(new Date(first.getFullYear(), first.getMonth() + months, 0).getTime()) };
  }, [page]);
  const q = useQuery({
    queryKey: keys.calendar(w.id, range.from, range.to),
    queryFn: ({ signal }) => readCalendar(w.id, { from: range.from, to: range.to, offset: -new Date().getTimezoneOffset() }, { signal }),
    placeholderData: (before) => before,
  });
  const days = useMemo(() => new Map(q.data?.days.map((d) => [d.day, d])), [q.data]);
  if (q.isError && !q.data) return <Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet>;
  const shown = picked ? days.get(picked) : undefined;
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <div className="min-w-0 flex-1 basis-60">
          {w.schedule ? <p><b className="font-semibold">{w.schedule.words || w.schedule.expr}</b> <span className="text-soft"><code>{w.schedule.expr}</code> in {w.schedule.zone}</span></p>
            : <p className="text-soft">The latest version has no schedule; runs are started on demand.</p>}
          <p className="text-[0.93em] text-soft">Days are those of {Intl.DateTimeFormat().resolvedOptions().timeZone}.</p>
        </div>
        {canAct && w.schedule && <Button icon="calendar" onClick={onBackfill}>Backfill</Button>}
        <span className="inline-flex items-center">
          <IconButton icon="left" label="Earlier months" onClick={() => setPage(page - 1)} />
          <Button kind="quiet" disabled={page === 0} onClick={() => setPage(0)}>Today</Button>
          <IconButton icon="right" label="Later months" onClick={() => setPage(page + 1)} />
        </span>
      </div>
      {!q.data ? <Sheet><Loading rows={10} /></Sheet> : (
        <div className={`grid items-start gap-3 sm:grid-cols-2 lg:grid-cols-3 ${q.isPlaceholderData ? "opacity-60" : ""}`}>
          {range.list.map((m) => <Month key={m.getTime()} month={m} days={days} picked={picked} onPick={(d) => pick(d === picked ? null : d)} />)}
        </div>
      )}
      <div aria-live="polite">
        {picked && (
          <Sheet className="mt-3 p-4">
            <h2 className="mb-2 font-semibold">{picked}</h2>
            {!shown ? <p className="text-soft">Nothing ran, and nothing is to come.</p> : <DayFacts d={shown} />}
          </Sheet>
        )}
      </div>
      {q.data && q.data.counted > 0 && <p className="mt-2 text-soft">The schedule fires too often to count on: slots are shown up to {day(q.data.counted)}.</p>}
      {q.data && q.data.days.length === 0 && <Empty icon="calendar" title="Nothing in these months" />}
    </>
  );
}

function DayFacts({ d }: { d: CalendarDay }) {
  const runs = allStates.filter((s) => d.runs[s]);
  return (
    <div className="flex flex-wrap gap-x-8 gap-y-3">
      {runs.length > 0 && <ul className="flex flex-wrap items-center gap-2">{runs.map((s) => <li key={s} className="flex items-center gap-1.5">{d.runs[s]} <LookBadge look={runLook(s)} /></li>)}</ul>}
      {d.slots > 0 && <p>{plural(d.slots, "slot")} to come: <span className="text-soft">{d.at.map((t) => clock(t)).join(", ")}{d.slots > d.at.length && " …"}</span></p>}
    </div>
  );
}

function Month({ month, days, picked, onPick }: { month: Date; days: ReadonlyMap<string, CalendarDay>; picked: string | null; onPick: (day: string) => void }) {
  const lead = (month.getDay() + 6) % 7;
  const length = new Date(month.getFullYear(), month.getMonth() + 1, 0).getDate();
  const today = day(Date.now());
  const name = monthName.format(month);
  const weeks = Math.ceil((lead + length) / 7);
  return (
    <Sheet className="p-3">
      <table className="w-full table-fixed border-separate border-spacing-1">
        <caption className="pb-1 text-left font-semibold">{name}</caption>
        <thead><tr>{weekdays.map((d) => <th key={d} scope="col" className="pb-0.5 text-[0.86em] font-normal text-soft">{d}</th>)}</tr></thead>
        <tbody>
          {Array.from({ length: weeks }, (_, week) => (
            <tr key={week}>
              {weekdays.map((_, i) => {
                const n = week * 7 + i - lead + 1;
                if (n < 1 || n > length) return <td key={i} />;
                const date = day(new Date(month.getFullYear(), month.getMonth(), n).getTime());
                return <td key={i} className="p-0"><Day n={n} date={date} d={days.get(date)} today={date === today} picked={date === picked} onPick={onPick} /></td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Sheet>
  );
}

function Day({ n, date, d, today, picked, onPick }: { n: number; date: string; d: CalendarDay | undefined; today: boolean; picked: boolean; onPick: (day: string) => void }) {
  const state = d && worst.find((s) => d.runs[s]) ;
  const total = d ? Object.values(d.runs).reduce((sum, k) => sum + k, 0) : 0;
  const look = state ? runLook(state) : undefined;
  const says = [d && total ? `${plural(total, "run")}${look ? `, ${look.word}` : ""}` : "", d?.slots ? `${plural(d.slots, "slot")} to come` : ""].filter(Boolean).join("; ");
  const box = `flex h-10 w-full flex-col items-center justify-center rounded-md leading-tight ${look ? toneBadge(look.tone) : d?.slots ? "bg-sunken" : "text-soft"} ${today ? "ring-2 ring-focus ring-inset" : ""}`;
  if (!d || !says) return <span className={box}><span className={today ? "font-semibold text-ink" : ""}>{n}</span>{today && <span className="sr-only">, today</span>}</span>;
  return (
    <button type="button" onClick={() => onPick(date)} aria-pressed={picked} title={says}
      className={`${box} hover:brightness-95 ${picked ? "outline-2 outline-accent" : ""}`}>
      <span className="text-ink"><span className="sr-only">{date.slice(0, 8)}</span>{n}<span className="sr-only">{today ? ", today" : ""}: {says} </span></span>
      <span className="flex items-center gap-0.5 text-[0.86em]">
        {look ? <><Sign name={look.sign} className="size-3" />{total}</> : <span className="text-soft">{d.slots === 1 && d.at[0] ? clock(d.at[0]) : `${d.slots} ×`}</span>}
      </span>
    </button>
  );
}
