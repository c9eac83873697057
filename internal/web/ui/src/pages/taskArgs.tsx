import { useQuery } from "@tanstack/react-query";
import * as api from "../api";
import { Icon } from "../ui/icons";
import { Empty, Failure, Loading } from "../ui/page";

/** TaskArgs shows what the definition says of each argument beside what an attempt makes of it. */
export function TaskArgs({ run, task, attempt }: { run: string; task: string; attempt: number }) {
  const q = useQuery({ queryKey: ["task", run, task, attempt, "arguments"], queryFn: ({ signal }) => api.taskArguments(run, task, attempt, { signal }) });
  if (q.isError) return <Failure error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  const { args, error, arg } = q.data;
  return (
    <div className="h-full overflow-y-auto">
      {error && (
        <p role="alert" className="m-3 flex items-start gap-2 rounded-md bg-bad-tint px-3 py-2 wrap-anywhere text-bad">
          <Icon name="alert" className="mt-0.5 size-4" />
          <span>
            {arg && (
              <>
                <code>{arg}</code>:{" "}
              </>
            )}
            {error}
          </span>
        </p>
      )}
      {args.length === 0 ? (
        <Empty icon="list" title="No arguments">
          The definition gives this task none.
        </Empty>
      ) : (
        <table className="w-full table-fixed border-collapse text-left">
          <thead className="text-[0.93em] text-soft">
            <tr className="border-b border-edge">
              <th scope="col" className="w-1/5 px-3 py-2 font-medium max-md:w-full">
                Argument
              </th>
              <th scope="col" className="px-3 py-2 font-medium max-md:hidden">
                Template
              </th>
              <th scope="col" className="px-3 py-2 font-medium max-md:hidden">
                Rendered
              </th>
            </tr>
          </thead>
          <tbody>
            {args.map((a) => (
              <tr key={a.name} className={`border-b border-edge align-top max-md:block ${a.name === arg ? "bg-bad-tint" : ""}`}>
                <th scope="row" className="px-3 py-2 font-normal max-md:block">
                  <code className="font-semibold break-all">{a.name}</code>
                  {a.line > 0 && <span className="block text-[0.86em] text-soft">line {a.line}</span>}
                </th>
                {a.rendered ? (
                  <>
                    <td className="px-3 py-2 max-md:block">
                      <Value of={a.template} label="Template" template />
                    </td>
                    <td className="px-3 py-2 max-md:block">
                      <Value of={a.value} label="Rendered" />
                    </td>
                  </>
                ) : (
                  <td colSpan={2} className="px-3 py-2 max-md:block">
                    <Value of={a.value} label="Value" />
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function Value({ of, label, template }: { of: unknown; label: string; template?: boolean }) {
  const text = typeof of === "string" ? of : JSON.stringify(of, null, 2);
  return (
    <>
      <span className="block text-[0.86em] text-soft md:hidden">{label}</span>
      <pre className="max-h-80 overflow-auto whitespace-pre-wrap break-words" tabIndex={0} aria-label={label}>
        {template ? withMarks(text) : text === "" ? <span className="text-soft">empty</span> : text}
      </pre>
    </>
  );
}

/** The text with its template expressions marked. */
function withMarks(text: string) {
  return text.split(/(\{\{.*?\}\}|\{%.*?%\})/s).map((part, i) => (i % 2 === 1 ? <mark key={i} className="rounded-xs bg-picked text-ink">{part}</mark> : part));
}
