import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter, isRouteErrorResponse, matchRoutes, Outlet, useRouteError, type RouteObject } from "react-router";
import { RouterProvider } from "react-router/dom"; // that one can update at once
import { ApiError, session, type Session } from "./api";
import "./app.css";
import { gridQuery, workflowQuery } from "./app/cache";
import { KeysProvider } from "./app/keys";
import { LiveProvider } from "./app/live";
import { SessionProvider, sessionKey, takeToken } from "./app/session";
import { Shell } from "./app/shell";
import { applyTheme, ThemeProvider } from "./app/theme";
import { ToastProvider } from "./app/toast";
import { Failure, Page, Sheet } from "./ui/page";

applyTheme();
const token = takeToken();

// What is shown is read when a page comes up and kept true by events, so
// nothing is read again for its age.
const client = new QueryClient({
  queryCache: new QueryCache({
    onError: (e) => {
      if (e instanceof ApiError && e.kind === "signedOut") void client.invalidateQueries({ queryKey: sessionKey });
    },
  }),
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (count, e) => count < 2 && e instanceof ApiError && (e.kind === "network" || e.kind === "busy"),
    },
  },
});

function Root() {
  return (
    <ToastProvider>
      <SessionProvider token={token}>
        <Outlet />
      </SessionProvider>
    </ToastProvider>
  );
}

// A page that does not load, or breaks, says so in its place.
function Broken() {
  const e = useRouteError();
  const shown = isRouteErrorResponse(e) && e.status === 404
    ? new ApiError("notFound", `The console has no page ${location.pathname}`, 404)
    : /import|module|fetch/i.test(String(e)) ? new Error("The console was replaced by a newer one. Load the page again.") : e;
  return <Page title="Something is wrong"><Sheet><Failure error={shown} retry={() => location.reload()} /></Sheet></Page>;
}

function Nowhere() {
  return <Page title="Not found"><Sheet><Failure error={new ApiError("notFound", `The console has no page ${location.pathname}.`, 404)} /></Sheet></Page>;
}

// The server writes the session into the page of somebody who is signed in,
// and has the browser fetch the page's code and what it reads first; those
// requests are met here by what is on its way.
const written = document.getElementById("session")?.textContent;
if (written && !token) client.setQueryData(sessionKey, JSON.parse(written) as Session);
else if (!token) void client.prefetchQuery({ queryKey: sessionKey, queryFn: ({ signal }) => session({ signal }) });

// The next page is likely one of these; they come when there is nothing to do.
addEventListener("load", () => setTimeout(() => void Promise.all([import("./pages/workflow"), import("./pages/run")]).catch(() => {}), 1500));

const routes: RouteObject[] = [
  {
    Component: Root,
    HydrateFallback: () => null,
    ErrorBoundary: Broken,
    children: [
      { path: "/login", lazy: () => import("./pages/login") },
      {
        Component: Shell,
        children: [
          {
            ErrorBoundary: Broken,
            children: [
              { index: true, lazy: () => import("./pages/workflows") },
              { path: "new", lazy: () => import("./pages/editor") },
              { path: "workflows/:workflow/edit", lazy: () => import("./pages/editor") },
              { path: "workflows/:workflow/:tab?", lazy: () => import("./pages/workflow") },
              { path: "omics/workflows/:workflow?", lazy: () => import("./pages/omicsWorkflows") },
              { path: "omics", lazy: () => import("./pages/omics") },
              { path: "runs/:run/:view?", lazy: () => import("./pages/run") },
              { path: "runs/:run/tasks/:task", lazy: () => import("./pages/task") },
              { path: "*", Component: Nowhere },
            ],
          },
        ],
      },
    ],
  },
];

function Providers({ children }: { children: ReactNode }) {
  return (
    <QueryClientProvider client={client}>
      <ThemeProvider>
        <KeysProvider>
          <LiveProvider>{children}</LiveProvider>
        </KeysProvider>
      </ThemeProvider>
    </QueryClientProvider>
  );
}

/** readAhead reads what the grid shows, under the names under which it asks. */
async function readAhead() {
  const id = /^\/workflows\/([^/]+)\/?$/.exec(location.pathname)?.[1];
  if (!id || token) return;
  await Promise.all([client.prefetchInfiniteQuery(gridQuery(decodeURIComponent(id))), client.prefetchQuery(workflowQuery(decodeURIComponent(id)))]);
}

/** loadPage gets the code of the page at this address, so that the router has it at its first look. */
async function loadPage() {
  for (const { route } of matchRoutes(routes, location) ?? []) {
    if (typeof route.lazy !== "function") continue;
    Object.assign(route, await route.lazy(), { lazy: undefined });
  }
}

/** soon is when a page without its data is better than none, in milliseconds. */
const soon = 100;

const place = document.getElementById("app");
if (place) {
  const root = createRoot(place);
  const data = Promise.race([readAhead(), new Promise((done) => setTimeout(done, soon))]);
  // Drawn once and whole, rather than in steps. What does not load is the
  // router's to say.
  void Promise.allSettled([loadPage(), data]).then(() => {
    const router = createBrowserRouter(routes);
    root.render(
      <StrictMode>
        <Providers>
          <RouterProvider router={router} />
        </Providers>
      </StrictMode>,
    );
  });
}
