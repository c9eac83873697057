package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
	"fairlead/internal/rehearsal"
)

func testCommand() *cobra.Command {
	opt := testOptions{limits: defaultLimits()}
	cmd := &cobra.Command{
		Use:   "test [FILE|DIR...]",
		Short: "Test workflows under a virtual clock",
		Long: `Plays the tests in each file, or in those below each directory whose names end
in _test.yaml; without a name, in those below this directory. A definition runs
under a virtual clock, operators answer as the file says, people do what it
says, and the runs are compared with what it expects. Nothing is started,
written or asked of a network; a month of a schedule passes in a second.

  workflow: etl.yaml
  tests:
    a failed load is retried:
      tasks:
        load: [{fails: connection refused}, succeeds]
      expect:
        run: SUCCESS
        tasks: {load: {attempts: 2}}

docs/testing.md describes the files. Exits with 0 when every test passes, 1
when one fails or cannot be played, 2 on wrong usage.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = []string{"."}
			}
			files, err := testFiles(names)
			if err != nil {
				return err
			}
			return opt.test(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), files)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.run, "run", "", "play only the tests whose name matches this regular expression")
	f.BoolVarP(&opt.verbose, "verbose", "v", false, "print the timeline of every test")
	f.BoolVar(&opt.json, "json", false, "print a JSON object for each test")
	f.StringVar(&opt.junit, "junit", "", "write JUnit XML to this file as well")
	f.BoolVar(&opt.extras, "template-extras", false, "as in serve: offer run_id, logical_date and dag_run to templates")
	f.BoolVar(&opt.strict, "strict-verdict", false, "as in serve: fail a run when any of its tasks fails")
	f.Var(opt.limits, "limit", "as in serve: name=number,…; definition-bytes, workflow-runs and run-seconds count")
	return cmd
}

type testOptions struct {
	run, junit                    string
	verbose, json, extras, strict bool
	limits                        limits
}

// testFiles puts in the place of each directory the files of tests below it.
func testFiles(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		if st, err := os.Stat(name); name == "-" || err != nil || !st.IsDir() {
			files = append(files, name)
			continue
		}
		known := len(files)
		err := filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			base := d.Name()
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != name && strings.HasPrefix(base, "."):
				return fs.SkipDir
			case !d.IsDir() && (strings.HasSuffix(base, "_test.yaml") || strings.HasSuffix(base, "_test.yml")):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == known {
			return nil, usagef("%s: no file below it has a name that ends in _test.yaml", name)
		}
	}
	return files, nil
}

func (o testOptions) test(ctx context.Context, out, errOut io.Writer, files []string) error {
	only, err := regexp.Compile(o.run)
	if err != nil {
		return usagef("--run: %v", err)
	}
	began := time.Now()
	var all []rehearsal.Played
	played, failed, broken := 0, 0, 0
	for _, name := range files {
		p, err := o.play(ctx, errOut, name, only)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("test %s: %w", name, ctx.Err())
		}
		if len(p.Faults)+len(p.Refused) > 0 {
			broken++
		}
		for _, r := range p.Results {
			played++
			if !r.OK() {
				failed++
			}
		}
		all = append(all, p)
	}
	if o.json {
		err = rehearsal.PrintJSON(out, all)
	} else {
		err = rehearsal.PrintText(out, all, o.verbose)
	}
	if err != nil {
		return err
	}
	if o.junit != "" {
		if err := writeJUnit(o.junit, all); err != nil {
			return err
		}
	}
	if !o.json {
		refused := ""
		if broken > 0 {
			refused = fmt.Sprintf(", %d of %d files could not be played", broken, len(files))
		}
		fmt.Fprintf(out, "%d passed, %d failed%s, in %s\n", played-failed, failed, refused, time.Since(began).Round(time.Millisecond))
	}
	switch {
	case failed > 0 || broken > 0:
		return exitError(1)
	case played == 0:
		return usagef("--run %q: no test has such a name", o.run)
	}
	return nil
}

// play plays one file. What is wrong with it or with its definition is
// printed.
func (o testOptions) play(ctx context.Context, errOut io.Writer, name string, only *regexp.Regexp) (p rehearsal.Played, err error) {
	p.File = name
	say := func(file string, src []byte, found []flow.Diagnostic) error {
		if len(found) == 0 {
			return nil
		}
		return printDiagnostics(errOut, "text", []airflow.FileDiagnostics{{File: file, Source: src, Found: found}})
	}
	src, err := readDefinition(name)
	if err != nil {
		p.Faults = []flow.Diagnostic{{Message: err.Error()}}
		return p, say(name, nil, p.Faults)
	}
	f, faults := rehearsal.Parse(src)
	if f == nil {
		p.Faults = faults
		return p, say(name, src, p.Faults)
	}
	// A definition from standard input has no place of its own.
	beside := func(path string) string {
		if filepath.IsAbs(path) || name == "-" {
			return path
		}
		return filepath.Join(filepath.Dir(name), path)
	}
	if f.Code != "" {
		if _, err := os.Stat(beside(f.Code)); err != nil {
			p.Faults = []flow.Diagnostic{f.CodeAt(err.Error())}
			return p, say(name, src, p.Faults)
		}
	}
	p.Workflow = beside(f.Workflow)
	definition, err := readDefinition(p.Workflow)
	if err != nil {
		p.Faults = []flow.Diagnostic{f.WorkflowAt(err.Error())}
		return p, say(name, src, p.Faults)
	}
	p.Report = o.stage().Play(ctx, f, definition, only)
	return p, errors.Join(say(name, src, p.Faults), say(p.Workflow, definition, p.Refused))
}

func (o testOptions) stage() rehearsal.Stage {
	return rehearsal.Stage{
		Compile: func(src []byte, hasCode bool, now time.Time) (flow.Definition, []flow.Diagnostic) {
			return compiler{max: o.limits.bytes("definition-bytes"), now: now}.compile(src, hasCode)
		},
		Table: operator.Default(), Extras: o.extras, Strict: o.strict,
		MaxDuration: time.Duration(o.limits["run-seconds"]) * time.Second, MaxWorkflow: o.limits["workflow-runs"],
	}
}

func writeJUnit(name string, all []rehearsal.Played) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(rehearsal.PrintJUnit(f, all), f.Close())
}
