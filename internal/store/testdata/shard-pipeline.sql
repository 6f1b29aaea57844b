-- Spreads the tables over the nodes of a Citus cluster. Run it once, on the coordinator.
-- Reports wait until COMMIT. Later migrations distribute what they add by themselves.
BEGIN;
SET LOCAL citus.multi_shard_modify_mode TO 'sequential';
SET LOCAL statement_timeout TO 0;
SELECT create_reference_table('projects');
SELECT create_distributed_table('pipelines', 'id', shard_count => 8);
SELECT create_distributed_table('days', 'project_id', shard_count => 8, colocate_with => 'none');
SELECT create_distributed_table('jobs', 'pipeline_id', colocate_with => 'pipelines');
SELECT create_distributed_table('phases', 'pipeline_id', colocate_with => 'pipelines');
SELECT create_distributed_table('steps', 'pipeline_id', colocate_with => 'pipelines');
SELECT create_distributed_table('volumes', 'project_id', shard_count => 8, colocate_with => 'none');
COMMIT;
-- The coordinator's old copy of the rows.
SELECT truncate_local_data_after_distributing_table('pipelines');
SELECT truncate_local_data_after_distributing_table('days');
SELECT truncate_local_data_after_distributing_table('jobs');
SELECT truncate_local_data_after_distributing_table('phases');
SELECT truncate_local_data_after_distributing_table('steps');
SELECT truncate_local_data_after_distributing_table('volumes');
SELECT truncate_local_data_after_distributing_table('projects');
