import { useEffect, useRef, type ReactNode } from "react";
import { Link } from "react-router";
import { ApiError } from "../api";
import { Button } from "./button";
import { Icon, type IconName } from "./icons";

/** A step of the way from the first page to this one. */
export interface Crumb {
  label: string;
  to: string;
}

interface PageProps {
  /** What the browser calls it; the heading too, unless `heading` says more. */
  title: string;
  heading?: ReactNode;
  crumbs?: readonly Crumb[];
  /** What can be done here, beside the heading. */
  actions?: ReactNode;
  /** One line under the heading. */
  sub?: ReactNode;
  /** Fills the window's height instead of growing with its content. */
  fill?: boolean;
  children: ReactNode;
}

/**
 * Page is the frame of every page: where one is, what can be done, and the
 * content. It names the document, and takes the focus when the page comes up,
 * so that a screen reader begins at the heading.
 */
export function Page({ title, heading, crumbs = [], actions, sub, fill, children }: PageProps) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Fairlead`;
  }, [title]);
  useEffect(() => {
    // The first page of a visit keeps the focus where browsers put it; so
    // does one that has given it to a field of its own.
    if (document.body.dataset.visited && (document.activeElement === document.body || document.activeElement === null)) ref.current?.focus({ preventScroll: true });
    document.body.dataset.visited = "yes";
  }, []);
  return (
    <div className={`mx-auto flex w-full max-w-[1760px] flex-col px-3 sm:px-5 ${fill ? "h-[calc(100dvh-3rem)] min-h-[32rem] pb-3" : "pb-12"}`}>
      <header className="flex flex-wrap items-end gap-x-4 gap-y-2 pt-4 pb-3">
        <div className="min-w-0 flex-1 basis-64">
          {crumbs.length > 0 && (
            <nav aria-label="Breadcrumbs">
              <ol className="flex flex-wrap items-center gap-1 text-[0.93em] text-soft">
                {crumbs.map((c) => (
                  <li key={c.to} className="flex min-w-0 items-center gap-1">
                    <Link to={c.to} className="truncate rounded text-soft underline-offset-4 hover:text-ink hover:underline">{c.label}</Link>
                    <Icon name="right" className="size-3" />
                  </li>
                ))}
              </ol>
            </nav>
          )}
          <h1 ref={ref} tabIndex={-1} className="text-xl leading-7 font-semibold tracking-[-0.01em] outline-none">{heading ?? title}</h1>
          {sub && <div className="mt-0.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-soft">{sub}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** Sheet is a bordered surface on the page. */
export function Sheet({ children, className = "" }: { children: ReactNode; className?: string }) {
  return <section className={`rounded-lg border border-edge bg-sheet shadow-sheet ${className}`}>{children}</section>;
}

/** Paged is a sheet with the part of a list that is known; where there is more of it, a button asks for the next page. */
export function Paged({ list, children }: { list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage(): Promise<unknown> }; children: ReactNode }) {
  return (
    <Sheet className="overflow-clip">
      {children}
      {list.hasNextPage && (
        <p className="border-t border-edge p-3 text-center">
          <Button disabled={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>Show more</Button>
        </p>
      )}
    </Sheet>
  );
}

/** Empty says that there is nothing yet, and what to do about it. */
export function Empty({ icon = "info", title, children }: { icon?: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <span className="grid size-10 place-items-center rounded-full bg-sunken text-soft"><Icon name={icon} className="size-5" /></span>
      <p className="text-base font-semibold">{title}</p>
      {children && <div className="w-full max-w-prose space-y-3 text-soft">{children}</div>}
    </div>
  );
}

/** Failure shows why something could not be read, and offers to try again. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const missing = error instanceof ApiError && error.kind === "notFound";
  return (
    <div role="alert" className="flex flex-col items-center gap-2 px-6 py-14 text-center">
      <span className="grid size-10 place-items-center rounded-full bg-bad-tint text-bad"><Icon name="alert" className="size-5" /></span>
      <p className="text-base font-semibold">{missing ? "There is no such thing" : "This could not be read"}</p>
      <p className="max-w-prose text-soft">{error instanceof Error ? error.message : String(error)}</p>
      {missing ? <Link to="/" className="text-link underline">All workflows</Link> : retry && <Button icon="again" onClick={retry}>Try again</Button>}
    </div>
  );
}

/** Loading stands in for content for as long as it takes to come; it shows after a moment only. */
export function Loading({ rows = 6, label = "Loading" }: { rows?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className="appear space-y-3 p-4">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} className={`h-4 rounded bg-sunken breathe ${i % 3 === 0 ? "w-1/2" : i % 3 === 1 ? "w-5/6" : "w-2/3"}`} />
      ))}
    </div>
  );
}
