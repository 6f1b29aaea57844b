package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// jobLookback is how much older than a job's end its pipeline may be for
// PipelineOfJob to find it. It bounds what is looked through.
const jobLookback = 30 * 24 * time.Hour

// PipelineOfJob finds the pipeline that has an attempt with the CI system's id,
// and that attempt's name, among the pipelines of the 30 days before now. It
// fails with ErrUnknown.
func (s *Store) PipelineOfJob(ctx context.Context, project, id string) (pipeline int64, name string, err error) {
	p, err := s.Project(ctx, project)
	if err != nil {
		return 0, "", err
	}
	// No index has the attempts' keys first. So one pipeline after the other is
	// looked into, the newest first: it is nearly always among them. As a join,
	// PostgreSQL reads the keys of all attempts that the project ever had.
	const query = `SELECT id, name FROM (SELECT p.id,
			(SELECT j.name FROM jobs j WHERE j.project_id = p.project_id AND j.pipeline_id = p.id AND j.attempt_key = $2) AS name
			FROM pipelines p WHERE p.project_id = $1 AND p.created_ms >= $3 ORDER BY p.created_ms DESC) AS newest
		WHERE name IS NOT NULL LIMIT 1`
	err = s.read(ctx, query, func(rows *sql.Rows) error {
		return rows.Scan(&pipeline, &name)
	}, p.ID, "#"+id, s.config.Now().Add(-jobLookback).UnixMilli())
	if err != nil {
		return 0, "", fmt.Errorf("find the pipeline of job %s: %w", id, err)
	}
	if pipeline == 0 {
		return 0, "", ErrUnknown
	}
	return pipeline, name, nil
}
