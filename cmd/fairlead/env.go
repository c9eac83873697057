package main

import (
	"fmt"
	"io/fs"
	"strings"

	"errors"

	"github.com/spf13/cobra"
)

func envCommand() *cobra.Command {
	var data, shell string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print what points AWS clients at the server",
		Long: `Prints the lines that make AWS clients in this shell talk to the server:

  eval "$(fairlead env)"            sh, bash, zsh
  fairlead env --shell fish | source
  fairlead env --shell plain        KEY=value, for an env file`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := dataDir(data)
			key, err := d.credential()
			if err != nil {
				return err
			}
			info := serverInfo{Endpoint: "http://" + defaultListen, Region: defaultRegion}
			if err := d.read("server.json", &info); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			line, ok := map[string]func(k, v string) string{
				"sh":    func(k, v string) string { return "export " + k + "='" + v + "'" },
				"fish":  func(k, v string) string { return "set -gx " + k + " '" + v + "'" },
				"plain": func(k, v string) string { return k + "=" + v },
			}[shell]
			if !ok {
				return usagef("--shell %q: expected sh, fish or plain", shell)
			}
			out := cmd.OutOrStdout()
			for _, kv := range clientEnv(info, key) {
				k, v, _ := strings.Cut(kv, "=")
				fmt.Fprintln(out, line(k, v))
			}
			switch shell { // a token of another account would be sent along
			case "sh":
				fmt.Fprintln(out, "unset AWS_SESSION_TOKEN AWS_PROFILE")
			case "fish":
				fmt.Fprintln(out, "set -e AWS_SESSION_TOKEN; set -e AWS_PROFILE")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultDataDir(), "directory of the server")
	cmd.Flags().StringVar(&shell, "shell", "sh", "sh, fish or plain")
	return cmd
}

// clientEnv is the environment in which any AWS client talks to a server.
func clientEnv(info serverInfo, key credential) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + info.Endpoint,
		"AWS_ACCESS_KEY_ID=" + key.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + key.SecretKey,
		"AWS_REGION=" + info.Region,
		"AWS_DEFAULT_REGION=" + info.Region,
		// Some services' clients put a prefix before the host otherwise, even
		// before an address.
		"AWS_DISABLE_HOST_PREFIX_INJECTION=true",
	}
}
