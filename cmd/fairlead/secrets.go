package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/mask"
	"fairlead/internal/role"
	"fairlead/internal/secret"
)

// secretKeyVar names the variable with the key of the secrets, for those who
// keep it elsewhere than beside them. It is no flag: others see those.
const secretKeyVar = "FAIRLEAD_SECRET_KEY"

func (d dataDir) vault() (*secret.Vault, error) {
	return secret.Open(string(d), os.Getenv(secretKeyVar))
}

func secretCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Keep variables and connections of tasks in an encrypted file",
		Long: `Keeps values for tasks in an encrypted file of the data directory. A task finds
variables/KEY as AIRFLOW_VAR_KEY, connections/ID as AIRFLOW_CONN_ID, and
environment/NAME as NAME in its environment; the Python stand-in and Airflow
itself look there. Three asterisks stand for the values in logs.

  fairlead secret set connections/warehouse < uri.txt
  fairlead secret list
  fairlead secret rm connections/warehouse

The key is made beside the file, unless ` + secretKeyVar + ` has one. What is set
holds for attempts that begin afterwards.`,
		Args: cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&data, "data", defaultDataDir(), "directory of the server")
	cmd.AddCommand(
		&cobra.Command{
			Use: "set NAME", Short: "Keep what standard input says, without a line end, under a name", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				if err := secret.CheckName(args[0]); err != nil {
					return err
				}
				value, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), secret.MaxValue+3))
				if err != nil {
					return fmt.Errorf("read the value: %w", err)
				}
				text := strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r")
				if err := os.MkdirAll(data, 0o700); err != nil {
					return err
				}
				v, err := dataDir(data).vault()
				if err != nil {
					return err
				}
				if err := v.Set(args[0], text); err != nil {
					return fmt.Errorf("set %s: %w", args[0], err)
				}
				if secret.Short(text) {
					fmt.Fprintln(cmd.ErrOrStderr(), "the value is too short to be masked in logs: it would be found everywhere")
				}
				return nil
			},
		},
		&cobra.Command{
			Use: "list", Short: "List the names", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				v, err := dataDir(data).vault()
				if err != nil {
					return err
				}
				values, err := v.Values()
				for _, name := range slices.Sorted(maps.Keys(values)) {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return err
			},
		},
		&cobra.Command{
			Use: "rm NAME", Short: "Remove one", Args: cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				v, err := dataDir(data).vault()
				if err != nil {
					return err
				}
				return v.Remove(args[0])
			},
		},
	)
	return cmd
}

// openVault finds the secrets, and refuses to start with those that cannot
// be read.
func (a *app) openVault() error {
	var err error
	if a.vault, err = a.opt.data.vault(); err != nil {
		return fmt.Errorf("%s: %w", secretKeyVar, err)
	}
	_, err = a.vault.Values()
	return err
}

// giveSecrets adds those secrets to an attempt's environment that its role may
// read, and says what must not be seen of all that is there.
func (a *app) giveSecrets(s *airflow.Surroundings, roleArn string) error {
	values, err := a.vault.Values()
	if err != nil {
		// The task would fail for want of it, with a text that says less.
		return flow.Errorf(flow.Invalid, "the secrets of this server cannot be read: %w", err)
	}
	var hidden []string
	for name, value := range s.Env {
		hidden = append(hidden, secret.Hidden(name, value)...)
	}
	for name, value := range values {
		if a.mayRead(roleArn, name) {
			s.Env[secret.Variable(name)] = value
			hidden = append(hidden, hiddenOf(name, value)...)
		}
	}
	if r, _ := a.roles.Find(roleArn); hasBackend(s.Env, r) {
		s.Env["FAIRLEAD_SECRETS_URI"] = a.inner + secretsPath
	}
	s.Secrets = secret.Forms(hidden)
	return nil
}

// mayRead reports whether tasks of a role may read a secret: what a policy
// must allow is what Airflow's own backend needs at AWS.
func (a *app) mayRead(roleArn, name string) bool {
	r, known := a.roles.Find(roleArn)
	if !known || r.Policy == nil {
		return true
	}
	return r.Policy.Judge("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:"+a.opt.region+":"+a.opt.account+":secret:airflow/"+name) == role.Allowed
}

// hiddenOf returns what is to be hidden of a secret: all of it, and the passwords
// in a connection.
func hiddenOf(name, value string) []string {
	if strings.HasPrefix(name, secret.Connections+"/") {
		return append(secret.Hidden(secret.Variable(name), value), value)
	}
	return []string{value}
}

// A veil hides all secrets of the vault from what is shown.
type veil struct {
	mu     sync.Mutex // guards what follows
	values map[string]string
	mask   *mask.Masker
}

// of returns the masker of values, which is made when they have changed.
func (v *veil) of(values map[string]string) *mask.Masker {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.values == nil || !maps.Equal(v.values, values) {
		var hidden []string
		for name, value := range values {
			hidden = append(hidden, hiddenOf(name, value)...)
		}
		v.values, v.mask = maps.Clone(values), mask.New(secret.Forms(hidden))
	}
	return v.mask
}

// mask returns a text without any of the secrets.
func (a *app) mask(text string) (string, error) {
	values, err := a.vault.Values()
	if err != nil {
		return "", errors.New("it cannot be shown, since the secrets cannot be read that it may hold")
	}
	return a.veil.of(values).Text(text), nil
}

// maskOf returns JSON of a run without the secrets of the vault and of the
// environment that its workflow sets.
func (a *app) maskOf(ctx context.Context, r flow.Run, raw json.RawMessage) (json.RawMessage, error) {
	if r.Version == "" {
		return a.maskJSON(raw) // it has no environment of a workflow
	}
	around, err := a.place.of(ctx, r)
	if err != nil {
		return nil, err
	}
	var hidden []string
	for name, value := range around.env {
		hidden = append(hidden, secret.Hidden(name, value)...)
	}
	if own := mask.New(secret.Forms(hidden)).Apply(raw); len(hidden) > 0 {
		if !json.Valid(own) { // a number, or a name, was one
			if own, err = json.Marshal(string(own)); err != nil {
				return nil, err
			}
		}
		raw = own
	}
	return a.maskJSON(raw)
}
