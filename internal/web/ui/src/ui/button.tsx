import type { ButtonHTMLAttributes, Ref } from "react";
import { Link, type LinkProps } from "react-router";
import { Icon, type IconName } from "./icons";

/** How loud a button is: one `primary` a view at most; `danger` ends or removes. */
export type ButtonKind = "primary" | "plain" | "quiet" | "danger";

const base = "inline-flex items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap select-none h-8 px-3 transition-colors disabled:opacity-60 pointer-coarse:h-10";
const kinds: Record<ButtonKind, string> = {
  primary: "bg-accent text-accent-ink hover:bg-accent-hover",
  plain: "border border-edge-strong bg-sheet text-ink hover:bg-hover",
  quiet: "text-soft hover:text-ink hover:bg-hover",
  danger: "bg-bad-fill text-fill-ink hover:brightness-110",
};

/** buttonClass is the look of a button, for what is a link by nature. */
export function buttonClass(kind: ButtonKind = "plain"): string {
  return `${base} ${kinds[kind]}`;
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  icon?: IconName;
  /** Shows that the action is under way; the button takes no clicks meanwhile. */
  busy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

/** Button is a button with a word. For one without, use IconButton. */
export function Button({ kind = "plain", icon, busy, className = "", children, disabled, type = "button", ...rest }: ButtonProps) {
  return (
    <button type={type} disabled={disabled || busy} aria-busy={busy || undefined} className={`${buttonClass(kind)} ${className}`} {...rest}>
      {busy ? <Icon name="again" className="size-4 spin" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  /** What it does, in a word or two; said and shown on hover. */
  label: string;
  ref?: Ref<HTMLButtonElement>;
}

/** IconButton is a button of one icon, 32 px a side (40 px for fingers). */
export function IconButton({ icon, label, className = "", type = "button", ...rest }: IconButtonProps) {
  return (
    <button type={type} aria-label={label} title={label}
      className={`inline-grid size-8 shrink-0 place-items-center rounded-md text-soft transition-colors hover:bg-hover hover:text-ink disabled:opacity-60 pointer-coarse:size-10 ${className}`} {...rest}>
      <Icon name={icon} />
    </button>
  );
}

/** ButtonLink is a link that looks like a button. */
export function ButtonLink({ kind = "plain", icon, className = "", children, ...rest }: LinkProps & { kind?: ButtonKind; icon?: IconName }) {
  return (
    <Link className={`${buttonClass(kind)} ${className}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </Link>
  );
}
