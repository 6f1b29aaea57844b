package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/grafana"
)

func (e *env) grafanaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "grafana",
		Short: "Dashboards for Grafana",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(e.grafanaExportCommand())
	return cmd
}

func (e *env) grafanaExportCommand() *cobra.Command {
	var dir, datasource string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the dashboards as JSON files",
		Long: `Write the dashboards as JSON files, to import by hand or to put where Grafana
provisions from. They ask PostgreSQL through Grafana's own data source, and
replace files of the same names.`,
		Example: `  # into the folder that Grafana reads
  pipeline-metrics-collector grafana export --dir /etc/grafana/dashboards`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			paths, err := grafana.Export(dir, datasource)
			for _, path := range paths {
				fmt.Fprintln(e.stdout, path)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "the `folder` to write into; it is made if it is not there")
	cmd.Flags().StringVar(&datasource, "datasource-uid", "", "the `uid` of the data source to open with (default: Grafana's first for PostgreSQL)")
	return cmd
}
