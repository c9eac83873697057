import type { Param } from "../api";

/** How a param is asked for. */
export type Control =
  | { kind: "choice"; values: unknown[] }
  | { kind: "yesno" }
  | { kind: "text" | "long" | "day" | "moment" }
  | { kind: "number"; whole: boolean; min?: number; max?: number }
  | { kind: "json" };

/** What stands in a field: text as typed, or null where the reader said "null". */
export type Draft = string | null;

function types(p: Param): string[] {
  const said = p.schema?.type;
  const all = Array.isArray(said) ? said.map(String) : typeof said === "string" ? [said] : p.type.split(" or ");
  return all.map((t) => t.trim()).filter(Boolean);
}

/** mayBeNull tells whether null is a value of the param. */
export function mayBeNull(p: Param): boolean {
  return types(p).includes("null");
}

/** control picks how to ask for a param, from its schema and else from its default. */
export function control(p: Param): Control {
  const schema = p.schema ?? {};
  if (Array.isArray(schema.enum) && schema.enum.length > 0 && schema.enum.length <= 500) return { kind: "choice", values: schema.enum };
  if ("const" in schema) return { kind: "choice", values: [schema.const] };
  const named = types(p).filter((t) => t !== "null");
  const type = named.length === 1 ? named[0] : named.length === 0 ? kindOf(p.default) : undefined;
  switch (type) {
    case "boolean":
      return { kind: "yesno" };
    case "integer":
    case "number": {
      const limit = (name: string) => (typeof schema[name] === "number" ? { [name === "minimum" ? "min" : "max"]: schema[name] } : {});
      return { kind: "number", whole: type === "integer", ...limit("minimum"), ...limit("maximum") };
    }
    case "string":
      if (schema.format === "date") return { kind: "day" };
      if (schema.format === "date-time") return { kind: "moment" };
      return { kind: schema.format === "multiline" || (typeof p.default === "string" && (p.default.includes("\n") || p.default.length > 120)) ? "long" : "text" };
  }
  return { kind: "json" };
}

function kindOf(v: unknown): string | undefined {
  switch (typeof v) {
    case "string":
    case "boolean":
      return typeof v;
    case "number":
      // A whole default does not say that fractions are wrong.
      return "number";
  }
  return undefined;
}

/** draft writes a value as its field shows it. */
export function draft(p: Param, value: unknown): Draft {
  if (value === undefined) return "";
  const kind = control(p).kind;
  if (value === null && kind !== "json" && kind !== "choice") return null;
  if (kind === "json" || kind === "choice") return JSON.stringify(value, null, kind === "json" ? 2 : undefined);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** parse reads what stands in a field; undefined is no value, and it throws where the text is none of the kind. */
export function parse(p: Param, d: Draft): unknown {
  if (d === null) return null;
  const c = control(p);
  switch (c.kind) {
    case "text":
    case "long":
      return d;
    case "day":
    case "moment":
      return d === "" ? undefined : d;
    case "number": {
      const text = d.trim();
      if (text === "") return undefined;
      const n = Number(text);
      if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) || !Number.isFinite(n)) throw new Error("This is not a number.");
      if (c.whole && !Number.isInteger(n)) throw new Error("This must be a whole number.");
      if (!Number.isSafeInteger(n) && Number.isInteger(n)) throw new Error("This number is too large for a form. Use the API.");
      if (c.min !== undefined && n < c.min) throw new Error(`This must be at least ${c.min}.`);
      if (c.max !== undefined && n > c.max) throw new Error(`This must be at most ${c.max}.`);
      return n;
    }
  }
  if (d.trim() === "") return undefined;
  try {
    return JSON.parse(d);
  } catch (e) {
    throw new Error(`This is not JSON: ${e instanceof Error ? e.message : String(e)}`);
  }
}

/** same compares JSON values. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const x = Object.entries(a);
  return x.length === Object.keys(b).length && x.every(([k, v]) => k in b && same(v, (b as Record<string, unknown>)[k]));
}
