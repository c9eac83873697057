import { useState, type ReactNode } from "react";
import * as api from "../api";
import { Button } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Check, Field, Input, Textarea } from "../ui/field";
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
    <Frame error={error} busy={busy} onClose={onClose} onStart={begin}>
      <p>A new run begins{run.form.length > 0 ? " with these params, which are those of this run" : ""}. This one stays as it is.</p>
      <ParamFields form={form} />
      <Check checked={latest} onChange={(e) => setLatest(e.target.checked)} label={<>with the latest version of the definition{run.n > 0 && `, instead of version ${run.n}`}</>} />
    </Frame>
  );
}

/** RepeatDialog starts a run of HealthOmics like another one, as StartRun does with its runId. */
export function RepeatDialog({ run, onClose, onDone }: { run: api.Run; onClose(): void; onDone(row: api.RunRow): void }) {
  const was = run.paramsText === "null" ? "{}" : run.paramsText;
  const [params, setParams] = useState(was);
  const [name, setName] = useState(run.omics?.name ?? "");
  const [outputUri, setOutputUri] = useState(run.omics?.outputUri ?? "");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [token] = useState(api.newToken);
  const fault = params === was ? "" : faultOf(params);
  const begin = async () => {
    if (fault) return;
    setBusy(true);
    setError("");
    try {
      onDone((await api.repeat(run.id, { ...(params === was ? {} : { params }), name: name.trim(), outputUri: outputUri.trim(), token })).run);
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setBusy(false);
    }
  };
  return (
    <Frame error={error} busy={busy} disabled={fault !== ""} onClose={onClose} onStart={begin}>
      <p>A new run begins with the role, group, cache and storage of this one, which stays as it is.</p>
      <Field label="Name"><Input value={name} maxLength={128} onChange={(e) => setName(e.target.value)} /></Field>
      <Field label="Outputs go below"><Input value={outputUri} maxLength={750} spellCheck={false} onChange={(e) => setOutputUri(e.target.value)} /></Field>
      <Field label="Parameters, as JSON" error={fault || undefined}>
        <Textarea rows={Math.min(16, Math.max(4, params.split("\n").length))} value={params} onChange={(e) => setParams(e.target.value)} />
      </Field>
    </Frame>
  );
}

/** Frame is the dialog around what a new run is asked for; error says why it could not start. */
function Frame({ error, busy, disabled, onClose, onStart, children }: { error: string; busy: boolean; disabled?: boolean; onClose(): void; onStart(): void; children: ReactNode }) {
  return (
    <Dialog
      title="Run again"
      size="medium"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Leave it</Button>
          <Button kind="primary" busy={busy} disabled={disabled} onClick={onStart}>
            Start a new run
          </Button>
        </>
      }
    >
      <div className="space-y-4">
        {children}
        {error && (
          <p role="alert" className="rounded-md bg-bad-tint px-3 py-2 text-bad wrap-anywhere">
            {error}
          </p>
        )}
      </div>
    </Dialog>
  );
}

/** faultOf says why a text is not the JSON of an object; "": it is. */
function faultOf(text: string): string {
  try {
    const v: unknown = JSON.parse(text);
    return v !== null && typeof v === "object" && !Array.isArray(v) ? "" : "Expected an object: {…}.";
  } catch (e) {
    return e instanceof Error ? e.message : String(e);
  }
}
