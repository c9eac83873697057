import type { ReactNode } from "react";
import type { Workflow } from "../../api";
import { Moment } from "../../app/now";
import { useToast } from "../../app/toast";
import { IconButton } from "../../ui/button";
import { Sheet } from "../../ui/page";

/** DetailsTab shows what a workflow is, as the API says it. */
export default function DetailsTab({ workflow: w }: { workflow: Workflow }) {
  const tags = Object.entries(w.tags);
  return (
    <div className="grid items-start gap-3 xl:grid-cols-2">
      <Sheet className="px-4 py-2">
        <dl>
          <Fact name="ARN" copy={w.arn}>{w.arn}</Fact>
          {w.description && <Fact name="Description" plain>{w.description}</Fact>}
          <Fact name="Role" copy={w.role}>{w.role}</Fact>
          <Fact name="Definition" copy={w.location}>{w.location}</Fact>
          {w.code && <Fact name="Code package" copy={w.code}>{w.code}</Fact>}
          <Fact name="Log group" copy={w.logGroup}>{w.logGroup}</Fact>
          <Fact name="Runs at once" plain>{w.maxRuns || "any number"}</Fact>
          {w.triggerMode && <Fact name="Trigger mode" plain>{w.triggerMode}</Fact>}
          <Fact name="Created" plain><Moment at={w.created} /></Fact>
          <Fact name="Changed" plain><Moment at={w.modified} /></Fact>
          {tags.length > 0 && <Fact name="Tags" plain><ul>{tags.map(([k, v]) => <li key={k}><code>{k}</code> {v && <>= <code>{v}</code></>}</li>)}</ul></Fact>}
        </dl>
      </Sheet>
      <Sheet className="overflow-x-auto">
        <h2 className="px-4 pt-3 pb-2 font-semibold">Params</h2>
        {w.params.length === 0 ? <p className="px-4 pb-4 text-soft">The definition asks for none.</p> : (
          <table className="w-full">
            <thead>
              <tr className="border-y border-edge bg-sunken text-left text-[0.93em] text-soft">
                <th scope="col" className="py-1.5 pr-3 pl-4 font-medium">Name</th>
                <th scope="col" className="px-3 py-1.5 font-medium">Type</th>
                <th scope="col" className="py-1.5 pr-4 pl-3 font-medium">Default</th>
              </tr>
            </thead>
            <tbody>
              {w.params.map((p) => (
                <tr key={p.name} className="border-b border-edge align-top last:border-b-0">
                  <td className="py-1.5 pr-3 pl-4"><code>{p.name}</code>{typeof p.schema?.description === "string" && <p className="text-soft">{p.schema.description}</p>}</td>
                  <td className="px-3 py-1.5 text-soft">{p.type || "any"}{Array.isArray(p.schema?.enum) && <p>one of {p.schema.enum.map((v) => JSON.stringify(v)).join(", ")}</p>}</td>
                  <td className="py-1.5 pr-4 pl-3 wrap-anywhere">{p.required ? <span className="text-soft">none: a run must give one</span> : <code>{JSON.stringify(p.default)}</code>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Sheet>
    </div>
  );
}

function Fact({ name, children, copy, plain }: { name: string; children: ReactNode; copy?: string; plain?: boolean }) {
  const toast = useToast();
  return (
    <div className="flex items-start gap-3 border-t border-edge py-2 first:border-t-0 max-sm:flex-col max-sm:gap-0">
      <dt className="w-32 shrink-0 text-soft">{name}</dt>
      <dd className={`min-w-0 flex-1 wrap-anywhere ${plain ? "" : "font-mono text-[0.93em]"}`}>
        {children || "–"}
        {copy && <IconButton icon="copy" label={`Copy: ${name}`} className="ml-1 inline-grid size-6! align-middle" onClick={() => void navigator.clipboard.writeText(copy).then(() => toast.done(`${name} is on the clipboard.`), (e: unknown) => toast.failed("Copy", e))} />}
      </dd>
    </div>
  );
}
