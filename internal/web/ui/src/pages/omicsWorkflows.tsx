import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { omicsWorkflow, omicsWorkflows, type OmicsWorkflow, type OmicsWorkflowRow } from "../api";
import { Ago, Moment } from "../app/now";
import { useSession } from "../app/session";
import { Empty, Failure, Loading, Page, Paged, Sheet } from "../ui/page";

const home = { label: "HealthOmics", to: "/omics" };

/** Component lists the workflows of HealthOmics, or shows the one that the address names. */
export function Component() {
  const { workflow } = useParams();
  return workflow ? <One key={workflow} id={workflow} /> : <All />;
}

function All() {
  const list = useInfiniteQuery({
    queryKey: ["omics", "workflows"],
    queryFn: ({ pageParam, signal }) => omicsWorkflows({ after: pageParam }, { signal }),
    initialPageParam: "",
    getNextPageParam: (page) => page.next || undefined,
  });
  const rows = list.data?.pages.flatMap((p) => p.rows) ?? [];
  return (
    <Page title="Workflows of HealthOmics" heading="Workflows" crumbs={[home]}>
      {list.isError && !list.data ? <Sheet><Failure error={list.error} retry={() => void list.refetch()} /></Sheet>
        : !list.data ? <Sheet><Loading rows={9} /></Sheet>
        : rows.length === 0 ? <Sheet><Empty icon="graph" title="No workflow of HealthOmics yet"><p>The list of <Link to="/omics" className="text-link underline">runs</Link> says how to create one.</p></Empty></Sheet>
        : <Paged list={list}><Table rows={rows} /></Paged>}
    </Page>
  );
}

function Table({ rows }: { rows: readonly OmicsWorkflowRow[] }) {
  return (
    <table className="w-full border-collapse">
      <caption className="sr-only">Workflows of HealthOmics, newest first</caption>
      <thead>
        <tr className="border-b border-edge bg-sunken text-left text-[0.93em] text-soft">
          <th scope="col" className="py-1.5 pr-3 pl-4 font-medium">Workflow</th>
          <th scope="col" className="px-3 py-1.5 font-medium">Status</th>
          <th scope="col" className="py-1.5 pr-4 pl-3 font-medium">Created</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((w) => (
          <tr key={w.id} className="group border-b border-edge last:border-b-0 hover:bg-hover">
            <td className="py-1.5 pr-3 pl-4">
              <Link to={`/omics/workflows/${encodeURIComponent(w.id)}`} className="rounded font-semibold text-ink underline-offset-4 wrap-anywhere group-hover:text-link hover:underline">{w.name || w.id}</Link>
              {w.name && <div className="text-[0.93em] text-soft">{w.id}</div>}
            </td>
            <td className={`px-3 py-1.5 ${w.status === "FAILED" ? "font-medium text-bad" : ""}`}>{w.status}</td>
            <td className="py-1.5 pr-4 pl-3 whitespace-nowrap text-soft"><Ago at={w.created} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function One({ id }: { id: string }) {
  const q = useQuery({ queryKey: ["omics", "workflow", id], queryFn: ({ signal }) => omicsWorkflow(id, { signal }) });
  const crumbs = [home, { label: "Workflows", to: "/omics/workflows" }];
  const w = q.data;
  if (!w) return <Page title={`Workflow ${id}`} crumbs={crumbs}><Sheet>{q.isError ? <Failure error={q.error} retry={() => void q.refetch()} /> : <Loading />}</Sheet></Page>;
  return (
    <Page title={w.name || `Workflow ${w.id}`} crumbs={crumbs}
      sub={<>
        <span>workflow {w.id}</span>
        <span className={w.status === "FAILED" ? "font-medium text-bad" : ""}>{w.status}</span>
        {w.engine && <span>{w.engine}{w.main && ` of ${w.main}`}</span>}
        <span>created <Moment at={w.created} /></span>
      </>}>
      <div className="space-y-3">
        {w.message && <p className={`rounded-md px-3 py-2 whitespace-pre-wrap wrap-anywhere ${w.status === "FAILED" ? "bg-bad-tint text-bad" : "bg-sunken text-soft"}`}>{w.message}</p>}
        {w.description && <p className="max-w-prose wrap-anywhere">{w.description}</p>}
        <Template w={w} />
        {w.readme && (
          <Sheet className="overflow-clip">
            <h2 className="border-b border-edge px-4 py-2 font-semibold">README</h2>
            <pre tabIndex={0} aria-label="README" className="max-h-[70dvh] overflow-auto p-4 whitespace-pre-wrap wrap-anywhere">{w.readme}</pre>
          </Sheet>
        )}
      </div>
    </Page>
  );
}

/** Template names what a run is given, and how to start one. */
function Template({ w }: { w: OmicsWorkflow }) {
  const { setup } = useSession();
  const all = Object.entries(w.template).sort(([a, x], [b, y]) => Number(x.optional) - Number(y.optional) || (a < b ? -1 : 1));
  const needed = JSON.stringify(Object.fromEntries(all.filter(([, p]) => !p.optional).map(([name]) => [name, "…"])));
  return (
    <Sheet className="overflow-clip">
      <h2 className="border-b border-edge px-4 py-2 font-semibold">Parameters</h2>
      {all.length === 0 ? <p className="p-4 text-soft">A run takes none.</p> : (
        <dl className="px-4 py-2">
          {all.map(([name, p]) => (
            <div key={name} className="border-t border-edge py-1.5 first:border-t-0 sm:flex sm:gap-4">
              <dt className="min-w-0 wrap-anywhere sm:w-72 sm:shrink-0"><code className="font-semibold">{name}</code> <span className="text-[0.93em] text-soft">{p.optional ? "optional" : "required"}</span></dt>
              <dd className="min-w-0 text-soft wrap-anywhere">{p.description || "–"}</dd>
            </div>
          ))}
        </dl>
      )}
      {w.status === "ACTIVE" && (
        <pre tabIndex={0} aria-label="Commands that start a run" className="overflow-x-auto border-t border-edge bg-sunken p-3">{`${setup}
export AWS_DISABLE_HOST_PREFIX_INJECTION=true
aws omics start-run --workflow-id ${w.id} --name first \\
    --role-arn arn:aws:iam::111122223333:role/omics \\
    --output-uri s3://BUCKET/out --parameters '${needed}'`}</pre>
      )}
    </Sheet>
  );
}
