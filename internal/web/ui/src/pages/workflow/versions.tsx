import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { memo, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { deleteVersion, version as readVersion, versions as readVersions, type VersionRow, type Workflow } from "../../api";
import { keys } from "../../app/cache";
import { Ago } from "../../app/now";
import { useCanAct } from "../../app/session";
import { useToast } from "../../app/toast";
import { diff, fold, within, type Line, type Part } from "../../lib/diff";
import { moment } from "../../lib/format";
import { Button, IconButton } from "../../ui/button";
import { Confirm } from "../../ui/dialog";
import { Select } from "../../ui/field";
import { Icon } from "../../ui/icons";
import { Menu, MenuItem } from "../../ui/menu";
import { Failure, Loading, Sheet } from "../../ui/page";

/** VersionsTab lists versions, and shows how the definitions of two differ. Which two is in the address. */
export default function VersionsTab({ workflow: w }: { workflow: Workflow }) {
  const client = useQueryClient();
  const toast = useToast();
  const canAct = useCanAct();
  const [params, setParams] = useSearchParams();
  const [doomed, doom] = useState<VersionRow | null>(null);
  const q = useInfiniteQuery({
    queryKey: [...keys.versions(w.id), "pages"],
    queryFn: ({ pageParam, signal }) => readVersions(w.id, { after: pageParam, limit: 100 }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
  });
  const rows = useMemo(() => q.data?.pages.flatMap((p) => p.rows) ?? [], [q.data]);
  const to = params.get("to") ?? w.latest;
  const at = rows.findIndex((v) => v.id === to);
  const from = params.get("from") ?? rows[at + 1]?.id ?? "";
  const set = (next: { from?: string; to?: string }) => setParams({ ...(from ? { from } : {}), to, ...next }, { replace: true, preventScrollReset: true });
  const source = (id: string) => ({ queryKey: keys.version(w.id, id), queryFn: ({ signal }: { signal: AbortSignal }) => readVersion(w.id, id, { signal }), enabled: id !== "", staleTime: Number.POSITIVE_INFINITY });
  const after = useQuery(source(to));
  const before = useQuery(source(from));

  if (q.isError && !q.data) return <Sheet><Failure error={q.error} retry={() => void q.refetch()} /></Sheet>;
  if (!q.data) return <Sheet><Loading /></Sheet>;
  const name = (id: string) => rows.find((v) => v.id === id)?.n ?? (id === after.data?.id ? after.data.n : id === before.data?.id ? before.data.n : "");
  const failed = after.error ?? (from ? before.error : null);
  return (
    <div className="grid items-start gap-3 lg:grid-cols-[17rem_1fr]">
      <Sheet className="overflow-hidden max-lg:max-h-64 max-lg:overflow-y-auto">
        <ol aria-label="Versions, newest first">
          {rows.map((v, i) => (
            <li key={v.id} className={`flex items-center border-b border-edge last:border-b-0 ${v.id === to ? "bg-picked" : ""}`}>
              <button type="button" aria-pressed={v.id === to} onClick={() => setParams({ to: v.id }, { replace: true, preventScrollReset: true })} className="min-w-0 flex-1 px-4 py-2 text-left outline-offset-[-2px] hover:bg-hover">
                <span className="flex items-center gap-2 font-medium">Version {v.n}{v.latest && <span className="rounded-full bg-sunken px-2 text-[0.86em] text-soft">latest</span>}</span>
                <span className="block text-[0.93em] text-soft"><Ago at={v.created} />{v.schedule ? ` · ${v.schedule.words || v.schedule.expr}` : ""}</span>
              </button>
              <Menu trigger={<IconButton icon="more" label={`More for version ${v.n}`} className="mr-1" />}>
                <MenuItem icon="diff" disabled={v.id === to} onSelect={() => set({ from: v.id })}>Compare with this one</MenuItem>
                <MenuItem icon="copy" onSelect={() => void navigator.clipboard.writeText(v.id).then(() => toast.done("The id is on the clipboard."), (e: unknown) => toast.failed("Copy", e))}>Copy its id</MenuItem>
                {canAct && rows.length > 1 && <MenuItem icon="close" danger onSelect={() => doom(v)}>Delete</MenuItem>}
              </Menu>
              <span className="sr-only">{i === 0 ? "newest" : ""}</span>
            </li>
          ))}
        </ol>
        {q.hasNextPage && <Button kind="quiet" className="w-full" busy={q.isFetchingNextPage} onClick={() => void q.fetchNextPage()}>Older versions</Button>}
      </Sheet>
      <Sheet className="min-w-0 overflow-hidden">
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-edge px-4 py-2">
          <h2 className="font-semibold">Version {name(to)}</h2>
          <label className="flex items-center gap-2 text-soft">
            against
            <Select value={from} className="w-auto!" onChange={(e) => set({ from: e.target.value })}>
              <option value="">nothing</option>
              {rows.filter((v) => v.id !== to).map((v) => <option key={v.id} value={v.id}>version {v.n}</option>)}
              {from && !rows.some((v) => v.id === from) && <option value={from}>version {name(from)}</option>}
            </Select>
          </label>
          <span className="flex-1" />
          {after.data && <span className="text-soft">{moment(after.data.created)}</span>}
          {canAct && to === w.latest && <Link to={`/workflows/${encodeURIComponent(w.id)}/edit`} className="inline-flex items-center gap-1 text-link underline-offset-4 hover:underline"><Icon name="edit" />Edit</Link>}
        </div>
        {failed ? <Failure error={failed} /> : !after.data || (from && !before.data) ? <Loading rows={12} />
          : <Diff key={`${from}.${to}`} before={before.data?.source ?? null} after={after.data.source} />}
      </Sheet>
      {doomed && (
        <Confirm title={`Delete version ${doomed.n}?`} action="Delete" danger onClose={() => doom(null)} onConfirm={async () => {
          await deleteVersion(w.id, doomed.id);
          // First: until then the one that is gone is the latest, and would be asked for.
          await client.invalidateQueries({ queryKey: ["workflow", w.id] });
          setParams({}, { replace: true });
        }}>
          <p>Its definition goes. Runs of it keep their graphs and logs.</p>
          {doomed.latest && <p>It is the latest: the version before it takes its place, with its schedule.</p>}
        </Confirm>
      )}
    </div>
  );
}

function Diff({ before, after }: { before: string | null; after: string }) {
  const all = useMemo(() => diff(before ?? after, after), [before, after]);
  const blocks = useMemo(() => (before === null ? [{ lines: all }] : fold(all)), [all, before]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const added = all.filter((l) => l.kind === "new").length;
  const gone = all.filter((l) => l.kind === "old").length;
  return (
    <>
      {before !== null && (
        <p className="border-b border-edge px-4 py-1.5 text-soft" role="status">
          {added + gone === 0 ? "The definitions are the same." : <><span className="text-good">+{added}</span> <span className="text-bad">−{gone}</span> {added + gone === 1 ? "line" : "lines"}</>}
        </p>
      )}
      <div tabIndex={0} role="region" aria-label={before === null ? "Definition" : "Differences"} className="max-h-[75dvh] overflow-auto font-mono text-sm leading-5 outline-offset-[-2px]">
        <div className="min-w-max py-1">
          {blocks.map((b, i) =>
            "lines" in b ? <Lines key={i} lines={b.lines} />
              : open.has(i) ? <Lines key={i} lines={b.folded} />
              : <button key={i} type="button" onClick={() => setOpen(new Set([...open, i]))} className="sticky left-0 my-0.5 flex h-6 w-full max-w-[100vw] items-center gap-2 bg-sunken px-4 font-sans text-soft hover:text-ink"><Icon name="down" className="size-3.5" />{b.folded.length} equal lines</button>,
          )}
        </div>
      </div>
    </>
  );
}

const Lines = memo(function Lines({ lines }: { lines: readonly Line[] }) {
  const parts = useMemo(() => pair(lines), [lines]);
  return lines.map((l, i) => (
    <div key={i} className={`flex ${l.kind === "old" ? "bg-bad-tint" : l.kind === "new" ? "bg-good-tint" : ""}`}>
      <span aria-hidden="true" className="w-11 shrink-0 pr-2 text-right text-soft select-none">{l.a || ""}</span>
      <span aria-hidden="true" className="w-11 shrink-0 pr-2 text-right text-soft select-none">{l.b || ""}</span>
      <span className={`w-5 shrink-0 text-center select-none ${l.kind === "old" ? "text-bad" : "text-good"}`}>{l.kind === "old" ? "−" : l.kind === "new" ? "+" : ""}<span className="sr-only">{l.kind === "old" ? "removed " : l.kind === "new" ? "added " : ""}</span></span>
      <span className="pr-4 whitespace-pre">
        {parts.get(i)?.map((p, k) => (p.changed ? <mark key={k} className={`rounded-xs text-ink ${l.kind === "old" ? "bg-bad-fill/35" : "bg-good-fill/35"}`}>{p.text}</mark> : p.text)) ?? (l.text || " ")}
      </span>
    </div>
  ));
});

/** pair finds runs of removed lines with as many added ones after them, and what changed within each. */
function pair(lines: readonly Line[]): Map<number, Part[]> {
  const found = new Map<number, Part[]>();
  for (let i = 0; i < lines.length; ) {
    let j = i;
    while (lines[j]?.kind === "old") j++;
    let k = j;
    while (lines[k]?.kind === "new") k++;
    if (j > i && k - j === j - i) {
      for (let n = 0; n < j - i; n++) {
        const w = within(lines[i + n]?.text ?? "", lines[j + n]?.text ?? "");
        if (w) {
          found.set(i + n, w.before);
          found.set(j + n, w.after);
        }
      }
    }
    i = Math.max(k, i + 1);
  }
  return found;
}
