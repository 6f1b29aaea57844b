package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rowServerConnections is how many transactions the row-by-row server has
// under way at most.
const rowServerConnections = 16

// serveNothing is the server that decodes a report, answers 200 and stores
// nothing: the least that taking a report by HTTP can cost.
func serveNothing(ctx context.Context, listen string) error {
	return serveBaseline(ctx, listen, func(context.Context, *posted) (int, error) { return http.StatusOK, nil })
}

// serveRows is the server that stores as the original does: a transaction a
// report, a statement a row.
func serveRows(ctx context.Context, listen, url string) error {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns = rowServerConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, postgresTables); err != nil {
		return err
	}
	return serveBaseline(ctx, listen, func(ctx context.Context, p *posted) (int, error) {
		status := http.StatusOK
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
			status, err = insertRows(ctx, tx, p)
			return err
		})
		return status, err
	})
}

func insertRows(ctx context.Context, tx pgx.Tx, p *posted) (int, error) {
	var there bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM metrics_pipeline WHERE pipeline_id = $1)`, p.PipelineID).Scan(&there)
	if err != nil || there {
		return http.StatusAlreadyReported, err
	}
	created, err := time.Parse(time.RFC3339, p.CreatedAt)
	if err != nil {
		return http.StatusBadRequest, err
	}
	exec := func(sql string, args ...any) {
		if err == nil {
			_, err = tx.Exec(ctx, sql, args...)
		}
	}
	exec(insertPipeline, p.PipelineID, p.Project, int(p.Duration), int(p.DurationE2E), created, p.Ref == "master", p.HasRestarts)
	for _, j := range p.Jobs {
		exec(insertJob, p.PipelineID, j.Name, int(j.E2E), int(j.Up), int(j.Duration))
	}
	for _, j := range p.JobsFailed {
		exec(insertFailed, p.PipelineID, j.Name, int(j.Duration))
	}
	for _, b := range p.Builds {
		for name, seconds := range b {
			exec(insertBuild, p.PipelineID, name, seconds)
		}
	}
	return http.StatusOK, err
}

// serveBaseline serves POST /save_metrics and GET /readyz until ctx ends, and
// takes webhooks without storing them.
func serveBaseline(ctx context.Context, listen string, save func(context.Context, *posted) (int, error)) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /save_metrics", func(w http.ResponseWriter, r *http.Request) {
		var p posted
		status, err := http.StatusBadRequest, json.NewDecoder(r.Body).Decode(&p)
		if err == nil {
			status, err = save(r.Context(), &p)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "report not saved:", err)
			status = max(status, http.StatusInternalServerError)
		}
		w.WriteHeader(status)
	})
	mux.HandleFunc("POST "+webhookPath, func(w http.ResponseWriter, r *http.Request) {
		var h hooked
		status := http.StatusAccepted
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil || h.Pipeline.ID == 0 || len(h.Builds) == 0 {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
	})
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
