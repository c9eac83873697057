import { useCallback, useMemo, useState } from "react";
import { ApiError, type Param } from "../api";
import { control, draft, mayBeNull, parse, same, type Draft } from "../lib/params";
import { Button } from "./button";
import { Check, Field, Input, Select, Textarea } from "./field";

/** The state of a form of params; see useParams. */
export interface ParamForm {
  params: readonly Param[];
  drafts: Record<string, Draft>;
  errors: Record<string, string>;
  set: (name: string, d: Draft) => void;
  /** The values to send, those alone that are not the defaults; null when a field has a fault, which it then shows. */
  read: () => Record<string, unknown> | null;
  /** Shows the server's faults at their fields; false when the error has none for this form. */
  refused: (e: unknown) => boolean;
}

/**
 * useParams keeps a form of params. It begins with `values`, such as those of
 * an earlier run, and else with the defaults.
 */
export function useParams(params: readonly Param[], values: Record<string, unknown> | null = null): ParamForm {
  const [drafts, setDrafts] = useState(() => Object.fromEntries(params.map((p) => [p.name, draft(p, values && p.name in values ? values[p.name] : p.default)])));
  const [errors, setErrors] = useState<Record<string, string>>({});
  const set = useCallback((name: string, d: Draft) => {
    setDrafts((all) => ({ ...all, [name]: d }));
    setErrors(({ [name]: _, ...rest }) => rest);
  }, []);
  return useMemo(() => ({
    params, drafts, errors, set,
    read() {
      const found: Record<string, unknown> = {};
      const faults: Record<string, string> = {};
      for (const p of params) {
        try {
          const v = parse(p, drafts[p.name] ?? "");
          if (v === undefined) {
            if (p.required) faults[p.name] = "A run needs a value for this.";
          } else if (p.required || !same(v, p.default)) found[p.name] = v;
        } catch (e) {
          faults[p.name] = e instanceof Error ? e.message : String(e);
        }
      }
      setErrors(faults);
      return Object.keys(faults).length ? null : found;
    },
    refused(e: unknown) {
      if (!(e instanceof ApiError)) return false;
      const said = e.fields.length ? e.fields : e.field ? [{ field: e.field, message: e.message }] : [];
      // "params.size.max" is a fault of the field "size"; names may have dots.
      const faults: Record<string, string> = {};
      for (const { field, message } of said) {
        const at = field.replace(/^params\./, "");
        const p = params.filter((p) => at === p.name || at.startsWith(`${p.name}.`) || at.startsWith(`${p.name}[`)).sort((a, b) => b.name.length - a.name.length)[0];
        if (!p) return false;
        faults[p.name] = message;
      }
      setErrors(faults);
      return said.length > 0;
    },
  }), [params, drafts, errors, set]);
}

/** ParamFields asks for the params of a form. */
export function ParamFields({ form }: { form: ParamForm }) {
  return (
    <div className="space-y-4">
      {form.params.map((p) => <ParamField key={p.name} param={p} form={form} />)}
    </div>
  );
}

function ParamField({ param: p, form }: { param: Param; form: ParamForm }) {
  const c = control(p);
  const d = form.drafts[p.name] ?? null;
  const error = form.errors[p.name];
  const initial = draft(p, p.default);
  const text = (name: string) => (typeof p.schema?.[name] === "string" ? (p.schema[name] as string) : "");
  const changed = !p.required && d !== initial;
  const label = (
    <span className="flex items-baseline gap-2">
      <span>{text("title") || p.name}</span>{" "}
      {text("title") && <code className="font-normal text-soft">{p.name}</code>}{" "}
      <span className="font-normal text-soft">{c.kind === "json" && p.type ? `${p.type}, as JSON` : c.kind === "json" ? "JSON" : p.type}{p.required && " · required"}</span>
    </span>
  );
  const hint = text("description") || undefined;
  const nullable = mayBeNull(p) && c.kind !== "json" && c.kind !== "choice";
  const isNull = d === null;
  const value = d ?? "";
  const on = (e: { target: { value: string } }) => form.set(p.name, e.target.value);
  const common = { value, onChange: on, disabled: isNull, required: p.required, name: p.name };
  let field;
  switch (c.kind) {
    case "choice":
      field = (
        <Select {...common}>
          {(p.required || p.default === undefined) && <option value="">Choose</option>}
          {c.values.map((v) => JSON.stringify(v)).map((v) => <option key={v} value={v}>{v.startsWith('"') ? (JSON.parse(v) as string) || '""' : v}</option>)}
        </Select>
      );
      break;
    case "yesno":
      field = (
        <Select {...common}>
          {(p.required || p.default === undefined) && <option value="">Choose</option>}
          <option value="true">true</option>
          <option value="false">false</option>
        </Select>
      );
      break;
    case "number":
      field = <Input {...common} inputMode={c.whole ? "numeric" : "decimal"} autoComplete="off" />;
      break;
    case "day":
      field = <Input {...common} type="date" />;
      break;
    case "text":
    case "moment":
      field = <Input {...common} spellCheck={false} autoComplete="off" placeholder={c.kind === "moment" ? "2026-03-01T00:00:00Z" : undefined} />;
      break;
    default:
      field = <Textarea {...common} rows={Math.min(10, Math.max(2, value.split("\n").length))} />;
  }
  return (
    <div>
      <Field label={label} hint={hint} error={error}>{field}</Field>
      {(nullable || changed) && <div className="mt-1 flex min-h-6 items-center gap-4">
        {nullable && (
          <Check label="null" checked={isNull} onChange={(e) => form.set(p.name, e.target.checked ? null : initial ?? "")} />
        )}
        {changed && <Button kind="quiet" className="h-6! px-1!" onClick={() => form.set(p.name, initial)}>Back to the default</Button>}
      </div>}
    </div>
  );
}
