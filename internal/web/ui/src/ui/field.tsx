import { useId, type InputHTMLAttributes, type ReactElement, type ReactNode, type Ref, type SelectHTMLAttributes, type TextareaHTMLAttributes, cloneElement } from "react";
import { Icon } from "./icons";

interface FieldProps {
  label: ReactNode;
  /** What to give, in a line. */
  hint?: ReactNode;
  /** What is wrong with what was given. */
  error?: string | undefined;
  /** One control that takes id and aria attributes. */
  children: ReactElement<Record<string, unknown>>;
}

/** Field ties a label, a hint and an error to a control. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const says = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1 block font-medium">{label}</label>
      {cloneElement(children, { id, "aria-describedby": says || undefined, "aria-invalid": error ? true : undefined })}
      {hint && <p id={`${id}-hint`} className="mt-1 text-soft wrap-anywhere">{hint}</p>}
      {error && <p id={`${id}-error`} className="mt-1 flex items-start gap-1 text-bad wrap-anywhere"><Icon name="alert" className="mt-0.5 size-3.5" />{error}</p>}
    </div>
  );
}

const control = "w-full rounded-md border border-edge-strong bg-sheet px-2.5 text-ink aria-invalid:border-bad aria-invalid:ring-1 aria-invalid:ring-bad disabled:opacity-60 pointer-coarse:text-base";

/** Input is a field of one line. */
export function Input({ className = "", ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input className={`${control} h-8 pointer-coarse:h-10 ${className}`} {...rest} />;
}

/** Textarea is a field of several lines, in the font of code. */
export function Textarea({ className = "", ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea spellCheck={false} className={`${control} py-1.5 font-mono text-[0.93em] ${className}`} {...rest} />;
}

/** Select is a choice of one from a list. */
export function Select({ className = "", children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return <select className={`${control} h-8 pointer-coarse:h-10 ${className}`} {...rest}>{children}</select>;
}

/** Check is a box to tick, with its label. */
export function Check({ label, className = "", ...rest }: InputHTMLAttributes<HTMLInputElement> & { label: ReactNode }) {
  return (
    <label className={`inline-flex min-h-6 items-center gap-2 ${className}`}>
      <input type="checkbox" className="size-4 accent-accent" {...rest} />
      {label}
    </label>
  );
}
