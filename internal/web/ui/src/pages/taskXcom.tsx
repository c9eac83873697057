import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import * as api from "../api";
import { useToast } from "../app/toast";
import { bytes } from "../lib/format";
import { Empty, Failure, Loading } from "../ui/page";
import { read as readJson } from "../xcom/tree";
import { XcomTree } from "../xcom/XcomTree";

/** TaskXcom shows what an attempt has published; `read` says that other tasks read it as XComs. */
export function TaskXcom({ run, task, attempt, over, read }: { run: string; task: string; attempt: number; over: boolean; read: boolean }) {
  const toast = useToast();
  const q = useQuery({ queryKey: ["task", run, task, attempt, "xcom"], queryFn: ({ signal }) => api.xcom(run, task, attempt, { signal }) });
  if (q.isError) return <Failure error={q.error} retry={() => void q.refetch()} />;
  if (!q.data) return <Loading />;
  if (q.data.values.length === 0) {
    return (
      <Empty icon="copy" title="Nothing published">
        {over ? read ? "This attempt ended without an XCom value." : "This attempt ended without outputs." : "What the task pushes or returns appears here when the attempt ends."}
      </Empty>
    );
  }
  const copy = (text: string, what: string) =>
    void navigator.clipboard.writeText(text).then(
      () => toast.done(`The ${what} is in the clipboard.`),
      (e: unknown) => toast.failed(`The ${what} could not be copied`, e),
    );
  return (
    <div className="h-full space-y-4 overflow-y-auto p-3">
      {q.data.values.map((v) => (
        <section key={v.key} aria-label={v.key}>
          <h2 className="mb-1 flex items-baseline gap-2">
            <code className="font-semibold">{v.key}</code>
            <span className="text-[0.86em] text-soft">{bytes(v.bytes)}</span>
          </h2>
          {v.cut && <p className="mb-1 text-soft">Too large to be shown whole: this is how it begins.</p>}
          <Value task={task} name={v.key} text={v.text} onCopy={copy} />
        </section>
      ))}
      {q.data.more > 0 && <p className="text-soft">and {q.data.more} more</p>}
      <p className="text-[0.86em] text-soft">
        Arrow keys walk through a value; <kbd>c</kbd> copies it{read && <>, <kbd>p</kbd> the expression by which another task reads it</>}.
      </p>
    </div>
  );
}

function Value({ task, name, text, onCopy }: { task: string; name: string; text: string; onCopy(text: string, what: string): void }) {
  const value = useMemo(() => readJson(text), [text]);
  return <XcomTree task={task} name={name} value={value} onCopy={onCopy} />;
}
