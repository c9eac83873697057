import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { runs as readRuns, versions as readVersions, type RunRow, type Workflow } from "../../api";
import { keys } from "../../app/cache";
import { useKeys } from "../../app/keys";
import { Ago, Lasts } from "../../app/now";
import { useWord } from "../../app/session";
import { moment } from "../../lib/format";
import { Button } from "../../ui/button";
import { Select } from "../../ui/field";
import { Empty, Failure, Loading, Sheet } from "../../ui/page";
import { RunState } from "../../ui/sign";

/** RunsTab lists runs, newest first, of all versions or one. */
export default function RunsTab({ workflow: w }: { workflow: Workflow }) {
  const [params, setParams] = useSearchParams();
  const version = params.get("version") ?? "";
  const known = useQuery({ queryKey: keys.versions(w.id), queryFn: ({ signal }) => readVersions(w.id, { limit: 200 }, { signal }) });
  const q = useInfiniteQuery({
    queryKey: keys.runs(w.id, version),
    queryFn: ({ pageParam, signal }) => readRuns(w.id, { version, after: pageParam, limit: 100 }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
  });
  const rows = q.data?.pages.flatMap((p) => p.rows) ?? [];
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-3">
        <label className="flex items-center gap-2 text-soft">
          Version
          <Select value={version} className="w-auto!" onChange={(e) => setParams(e.target.value ? { version: e.target.value } : {}, { replace: true, preventScrollReset: true })}>
            <option value="">all</option>
            {known.data?.rows.map((v) => <option key={v.id} value={v.id}>{v.n}{v.latest ? " (latest)" : ""}</option>)}
          </Select>
        </label>
      </div>
      {q.isError && !q.data ? <Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet>
        : !q.data ? <Sheet><Loading /></Sheet>
        : rows.length === 0 ? <Sheet><Empty icon="list" title={version ? "No run of this version" : "No run yet"}>{version && <Button onClick={() => setParams({})}>All versions</Button>}</Empty></Sheet>
        : <Table rows={rows} more={q.hasNextPage ? () => void q.fetchNextPage() : undefined} busy={q.isFetchingNextPage} />}
    </>
  );
}

function Table({ rows, more, busy }: { rows: readonly RunRow[]; more: (() => void) | undefined; busy: boolean }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const word = useWord();
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY), []);
  const v = useWindowVirtualizer({ count: rows.length, estimateSize: () => 37, overscan: 15, scrollMargin: top, getItemKey: (i) => rows[i]?.id ?? i });
  const items = v.getVirtualItems();
  const before = items.length ? (items[0]?.start ?? 0) - top : 0;
  const after = items.length ? v.getTotalSize() - ((items.at(-1)?.end ?? 0) - top) : 0;
  const nearEnd = (items.at(-1)?.index ?? 0) >= rows.length - 20;
  useEffect(() => {
    if (nearEnd && more && !busy) more();
  }, [nearEnd, more, busy]);
  const step = (by: number) => {
    const links = [...(body.current?.querySelectorAll<HTMLAnchorElement>("a") ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const to = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  };
  useKeys([
    { press: "j", does: "Next run", group: "Runs", keyOnly: true, run: () => step(1) },
    { press: "k", does: "Run before", group: "Runs", keyOnly: true, run: () => step(-1) },
    { press: "Enter", does: "Open it", group: "Runs" },
  ]);
  return (
    <Sheet className="overflow-x-auto">
      <table className="w-full border-collapse">
        <caption className="sr-only">Runs, newest first</caption>
        <thead>
          <tr className="border-b border-edge bg-sunken text-left text-[0.93em] text-soft">
            <th scope="col" className="py-1.5 pr-3 pl-4 font-medium">State</th>
            <th scope="col" className="px-3 py-1.5 font-medium">Run</th>
            <th scope="col" className="px-3 py-1.5 font-medium max-md:hidden">Kind</th>
            <th scope="col" className="px-3 py-1.5 text-right font-medium max-md:hidden">Version</th>
            <th scope="col" className="px-3 py-1.5 font-medium">Created</th>
            <th scope="col" className="px-3 py-1.5 text-right font-medium max-md:hidden">Queued</th>
            <th scope="col" className="px-3 py-1.5 text-right font-medium max-sm:hidden">Ran</th>
            <th scope="col" className="w-full py-1.5 pr-4 pl-3 font-medium max-lg:hidden">Reason</th>
          </tr>
        </thead>
        <tbody ref={body}>
          {before > 0 && <tr aria-hidden="true"><td style={{ height: before }} /></tr>}
          {items.map(({ index }) => {
            const r = rows[index];
            return r && (
              <tr key={r.id} ref={v.measureElement} data-index={index} className="border-b border-edge last:border-b-0 hover:bg-hover">
                <td className="py-1.5 pr-3 pl-4"><span title={word(r.service, "run", r.state)}><RunState state={r.state} held={r.held} /></span></td>
                <td className="px-3 py-1.5"><Link to={`/runs/${encodeURIComponent(r.id)}`} className="rounded font-mono text-[0.93em] text-link underline-offset-4 hover:underline">{r.id}</Link></td>
                <td className="px-3 py-1.5 whitespace-nowrap text-soft max-md:hidden">{r.kind === "ondemand" ? "on demand" : <span title={`slot ${moment(r.logical)}`}>{r.kind}</span>}</td>
                <td className="px-3 py-1.5 text-right text-soft max-md:hidden">{r.n || "deleted"}</td>
                <td className="px-3 py-1.5 text-soft"><Ago at={r.created} /></td>
                <td className="px-3 py-1.5 text-right whitespace-nowrap text-soft max-md:hidden"><Lasts from={r.created} to={r.started || r.ended || null} /></td>
                <td className="px-3 py-1.5 text-right whitespace-nowrap max-sm:hidden">{r.started ? <Lasts from={r.started} to={r.ended || null} /> : "–"}</td>
                <td className="max-w-0 truncate py-1.5 pr-4 pl-3 text-soft max-lg:hidden" title={r.reason}>{r.reason}</td>
              </tr>
            );
          })}
          {after > 0 && <tr aria-hidden="true"><td style={{ height: after }} /></tr>}
        </tbody>
      </table>
      {busy && <p role="status" className="p-3 text-center text-soft">Loading more</p>}
    </Sheet>
  );
}
