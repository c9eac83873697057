import { useInfiniteQuery, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import { Link, useSearchParams } from "react-router";
import { omicsRuns, type OmicsRunList, type OmicsRunRow } from "../api";
import { keys } from "../app/cache";
import { useLive } from "../app/live";
import { Ago, Lasts } from "../app/now";
import { useSession } from "../app/session";
import { rowLook } from "../lib/states";
import { Button, ButtonLink } from "../ui/button";
import { Select } from "../ui/field";
import { Empty, Failure, Loading, Page, Paged, Sheet } from "../ui/page";
import { LookBadge } from "../ui/sign";
import { useThrottle } from "./runData";

const statuses = ["PENDING", "RUNNING", "STOPPING", "COMPLETED", "FAILED", "CANCELLED"];

/** Component lists the runs of HealthOmics. */
export function Component() {
  const client = useQueryClient();
  const [params, setParams] = useSearchParams();
  const status = statuses.find((s) => s === params.get("status")) ?? "";
  const again = useThrottle(1000, () => void client.invalidateQueries({ queryKey: ["omics"] }));
  const ready = useLive<"omics">("omics",
    (e) => {
      // What is new, or has a status that is asked for, may belong anywhere.
      const stays = put(client, status, e.rows);
      if (!stays || e.more) again();
    },
    again);
  const list = useInfiniteQuery({
    queryKey: keys.omicsRuns(status),
    queryFn: ({ pageParam, signal }) => omicsRuns({ status, after: pageParam, limit: 100 }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
    placeholderData: (before) => before,
    enabled: ready,
  });
  const rows = list.data?.pages.flatMap((p) => p.rows) ?? [];
  return (
    <Page title="HealthOmics"
      sub={rows.length > 0 ? <span>{rows.length}{list.hasNextPage ? " or more" : ""} {rows.length === 1 ? "run" : "runs"}</span> : undefined}
      actions={<>
        <ButtonLink icon="list" to="/omics/workflows">Workflows</ButtonLink>
        {(rows.length > 0 || status) && <label>
          <span className="sr-only">Status</span>
          <Select value={status} onChange={(e) => setParams(e.target.value ? { status: e.target.value } : {}, { replace: true })}>
            <option value="">Every status</option>
            {statuses.map((s) => <option key={s}>{s}</option>)}
          </Select>
        </label>}
      </>}>
      {list.isError && !list.data ? <Sheet><Failure error={list.error} retry={() => void list.refetch()} /></Sheet>
        : !list.data ? <Sheet><Loading rows={9} /></Sheet>
        : rows.length === 0 ? <Sheet>{status ? <Empty icon="search" title={`No run is ${status}`}><Button onClick={() => setParams({}, { replace: true })}>Show all</Button></Empty> : <First />}</Sheet>
        : <Paged list={list}><Table rows={rows} /></Paged>}
    </Page>
  );
}

/** put shows runs as they are now; false if one of them may come or go. */
function put(client: ReturnType<typeof useQueryClient>, status: string, rows: readonly OmicsRunRow[]): boolean {
  const fresh = new Map(rows.map((r) => [r.id, r]));
  let stays = true;
  client.setQueryData<InfiniteData<OmicsRunList>>(keys.omicsRuns(status), (was) => was && {
    ...was,
    pages: was.pages.map((page) => ({
      ...page,
      rows: page.rows.map((r) => {
        const now = fresh.get(r.id);
        fresh.delete(r.id);
        if (now && status && now.status !== status) stays = false;
        return now && now.rev > r.rev ? now : r;
      }),
    })),
  });
  return stays && [...fresh.values()].every((r) => status && r.status !== status);
}

/** What a server without such runs says. */
function First() {
  const { setup } = useSession();
  return (
    <Empty icon="graph" title="No run of HealthOmics yet">
      <p>Create a workflow of a WDL document and start it with the AWS CLI:</p>
      <pre className="overflow-x-auto rounded-md bg-sunken p-3 text-left text-ink" tabIndex={0} aria-label="Commands">{`${setup}
export AWS_DISABLE_HOST_PREFIX_INJECTION=true
aws s3 mb s3://genomics
aws omics create-workflow --name hello --engine WDL \\
    --definition-zip fileb://hello.zip
aws omics start-run --workflow-id ID --name first \\
    --role-arn arn:aws:iam::111122223333:role/omics \\
    --output-uri s3://genomics/out --parameters '{}'`}</pre>
    </Empty>
  );
}

function Table({ rows }: { rows: readonly OmicsRunRow[] }) {
  return (
    <table className="w-full border-collapse max-lg:block">
      <caption className="sr-only">Runs of HealthOmics, newest first</caption>
      <thead className="max-lg:sr-only">
        <tr className="border-b border-edge bg-sunken text-left text-[0.93em] text-soft">
          <th scope="col" className="py-1.5 pr-3 pl-4 font-medium">Run</th>
          <th scope="col" className="px-3 py-1.5 font-medium">Workflow</th>
          <th scope="col" className="px-3 py-1.5 font-medium">Status</th>
          <th scope="col" className="px-3 py-1.5 font-medium">Created</th>
          <th scope="col" className="py-1.5 pr-4 pl-3 font-medium">Took</th>
        </tr>
      </thead>
      <tbody className="max-lg:block">
        {rows.map((r) => (
          <tr key={r.id} className="group border-b border-edge last:border-b-0 hover:bg-hover max-lg:grid max-lg:grid-cols-[1fr_auto] max-lg:gap-x-3 max-lg:px-4 max-lg:py-2.5">
            <td className="py-1.5 pr-3 pl-4 max-lg:p-0">
              <Link to={`/runs/${encodeURIComponent(r.id)}`} className="rounded font-semibold text-ink underline-offset-4 wrap-anywhere group-hover:text-link hover:underline">{r.name || `Run ${r.id}`}</Link>
              {r.name && <div className="text-[0.93em] text-soft">{r.id}</div>}
            </td>
            <td className="px-3 py-1.5 max-lg:col-span-2 max-lg:row-start-2 max-lg:p-0 max-lg:pt-1">
              <Link to={`/omics/workflows/${encodeURIComponent(r.workflow)}`} className="rounded text-ink underline-offset-4 wrap-anywhere hover:text-link hover:underline">{r.workflowName || r.workflow}</Link> <span className="text-[0.93em] text-soft">{r.workflow}</span>
            </td>
            <td className="px-3 py-1.5 max-lg:p-0 max-lg:text-right">
              <LookBadge look={{ ...rowLook(r), word: r.status }} />
              {r.reason && <div className="max-w-md truncate text-[0.93em] text-soft max-lg:hidden" title={r.reason}>{r.reason}</div>}
            </td>
            <td className="px-3 py-1.5 whitespace-nowrap text-soft max-lg:p-0 max-lg:pt-1"><Ago at={r.created} /></td>
            <td className="py-1.5 pr-4 pl-3 whitespace-nowrap text-soft max-lg:p-0 max-lg:pt-1 max-lg:text-right">{r.started > 0 ? <Lasts from={r.started} to={r.ended || null} /> : "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
