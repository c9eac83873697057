import { useState } from "react";
import * as api from "../api";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Check } from "../ui/field";
import { ParamFields, useParams } from "../ui/params";

/** RerunDialog starts a run like another one, with the same or other params. */
export function RerunDialog({ run, onClose, onDone }: { run: api.Run; onClose(): void; onDone(row: api.RunRow): void }) {
  const form = useParams(run.form, run.params);
  const [latest, setLatest] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [token] = useState(api.newToken);
  const begin = async () => {
    const params = form.read();
    if (!params) return;
    setBusy(true);
    setError("");
    try {
      onDone((await api.rerun(run.id, { params, latest, token })).run);
    } catch (e) {
      if (!form.refused(e)) setError(e instanceof Error ? e.message : String(e));
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
      <div className="space-y-4">
        <p>A new run begins{run.form.length > 0 ? " with these params, which are those of this run" : ""}. This one stays as it is.</p>
        <ParamFields form={form} />
        <Check checked={latest} onChange={(e) => setLatest(e.target.checked)} label={<>with the latest version of the definition{run.n > 0 && `, instead of version ${run.n}`}</>} />
        {error && (
          <p role="alert" className="rounded-md bg-bad-tint px-3 py-2 text-bad">
            {error}
          </p>
        )}
      </div>
    </Dialog>
  );
}
