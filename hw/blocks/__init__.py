"""Parts that any unit may be made of: queues, packers, pipelines. They know no stage."""
