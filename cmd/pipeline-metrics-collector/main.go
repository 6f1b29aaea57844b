// Command pipeline-metrics-collector collects how long CI/CD pipelines take.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image, and some machines, know no time zones

	"github.com/pipeline-metrics/pipeline-metrics-collector/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}
