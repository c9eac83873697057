import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { journal, type JournalEntry, type JournalLine } from "../api";
import { Moment } from "../app/now";
import { plural } from "../lib/format";
import { look, runLook } from "../lib/states";
import { Check } from "../ui/field";
import { Empty, Failure, Loading, Paged, Sheet } from "../ui/page";
import { StateChip } from "../ui/sign";
import { runKeys } from "./runData";
import { taskURL } from "./runPanel";

/** RunJournal tells what has happened to a run, and who asked for it. */
export default function RunJournal({ run }: { run: string }) {
  const [asked, setAsked] = useState(false);
  const list = useInfiniteQuery({
    queryKey: [...runKeys.journal(run), asked],
    queryFn: ({ pageParam, signal }) => journal(run, { asked, after: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
  });
  const entries = list.data?.pages.flatMap((p) => p.entries) ?? [];
  return (
    <div className="space-y-2">
      <Check checked={asked} onChange={(e) => setAsked(e.target.checked)} label="Only what somebody asked for" />
      {list.isError && !list.data ? <Sheet><Failure error={list.error} retry={() => void list.refetch()} /></Sheet>
        : !list.data ? <Sheet><Loading rows={9} /></Sheet>
        : entries.length === 0 && !list.hasNextPage ? <Sheet><Empty icon="list" title={asked ? "Nobody has changed this run" : "Nothing has happened yet"} /></Sheet>
        : <Paged list={list}><Table run={run} entries={entries} /></Paged>}
    </div>
  );
}

function Table({ run, entries }: { run: string; entries: readonly JournalEntry[] }) {
  return (
    <table className="w-full border-collapse max-md:block">
      <caption className="sr-only">What has happened, the oldest first</caption>
      <thead className="max-md:sr-only">
        <tr className="border-b border-edge bg-sunken text-left text-[0.93em] text-soft">
          <th scope="col" className="w-0 py-1.5 pr-3 pl-4 font-medium">When</th>
          <th scope="col" className="px-3 py-1.5 font-medium">What</th>
          <th scope="col" className="w-0 py-1.5 pr-4 pl-3 font-medium whitespace-nowrap">Asked by</th>
        </tr>
      </thead>
      <tbody className="max-md:block">
        {entries.map((e) => (
          <tr key={e.rev} className="border-b border-edge align-top last:border-b-0 max-md:block max-md:px-4 max-md:py-2">
            <td className="py-1.5 pr-3 pl-4 text-soft max-md:block max-md:p-0"><Moment at={e.at} /></td>
            <td className="px-3 py-1.5 max-md:block max-md:p-0">
              <ul className="space-y-0.5">
                {e.lines.map((l, i) => <Line key={i} run={run} of={l} />)}
                {e.more > 0 && <li className="text-soft">and {plural(e.more, "change")} more</li>}
              </ul>
            </td>
            <td className="py-1.5 pr-4 pl-3 max-md:block max-md:p-0">{e.by && <><span className="text-soft md:sr-only">asked by </span>{e.by}</>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Line({ run, of: l }: { run: string; of: JournalLine }) {
  const is = l.state === "-" ? null : l.task ? look(l.state) : runLook(l.state);
  return (
    <li className="flex min-w-0 items-start gap-2">
      {is ? <StateChip look={is} label={is.word} className="mt-0.5 size-3.5" /> : <span className="size-3.5 shrink-0" />}
      <span className="min-w-0 wrap-anywhere">
        {l.task && <><Link to={taskURL(run, l.task)} className="font-medium text-ink underline-offset-4 hover:underline">{l.task}</Link>: </>}
        {l.text}
      </span>
    </li>
  );
}
