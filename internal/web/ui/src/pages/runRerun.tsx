import { useState } from "react";
import * as api from "../api";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";

/** RerunDialog starts a run like another one, with the same or other params. */
export function RerunDialog({ run, onClose, onDone }: { run: api.Run; onClose(): void; onDone(row: api.RunRow): void }) {
  const [text, setText] = useState(() => JSON.stringify(run.params ?? {}, null, 2));
  const [latest, setLatest] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [token] = useState(api.newToken);
  const begin = async () => {
    let params: Record<string, unknown>;
    try {
      params = JSON.parse(text) as Record<string, unknown>;
      if (params === null || typeof params !== "object" || Array.isArray(params)) throw new Error("params are an object: { \"name\": value }");
    } catch (e) {
      setError((e as Error).message);
      return;
    }
    setBusy(true);
    setError("");
    try {
      const same = JSON.stringify(params) === JSON.stringify(run.params ?? {});
      const { run: row } = await api.rerun(run.id, { ...(same ? {} : { params }), latest, token });
      onDone(row);
    } catch (e) {
      setError(e instanceof api.ApiError ? [e.message, ...e.fields.map((f) => `${f.field}: ${f.message}`)].join("\n") : String(e));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="Run again"
      size="medium"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button kind="primary" busy={busy} onClick={begin}>
            Start a new run
          </Button>
        </>
      }
    >
      <div className="space-y-3">
        <p>A new run begins with these params. This one stays as it is.</p>
        <label className="block">
          <span className="mb-1 block font-medium">Params (JSON)</span>
          <textarea
            value={text}
            onChange={(e) => setText(e.target.value)}
            spellCheck={false}
            rows={Math.min(16, Math.max(5, text.split("\n").length + 1))}
            aria-invalid={error !== ""}
            className="w-full rounded-md border border-edge-strong bg-sheet px-3 py-2 font-mono text-[0.93em]"
          />
        </label>
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={latest} onChange={(e) => setLatest(e.target.checked)} className="size-4 accent-accent" />
          with the latest version of the definition{run.n > 0 && `, instead of version ${run.n}`}
        </label>
        {error && (
          <p role="alert" className="rounded-md bg-bad-tint px-3 py-2 whitespace-pre-line text-bad">
            {error}
          </p>
        )}
      </div>
    </Dialog>
  );
}
