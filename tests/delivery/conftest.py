"""A pipeline to destinations that keep what they are given."""

import pytest

from clerestory.delivery.pipeline import Pipeline, PipelinePlan
from clerestory.delivery.policy import Route, RoutePolicy
from clerestory.delivery.retry import RetryPolicy
from clerestory.spool.spool import SpoolLimits


@pytest.fixture
def road(tmp_path):
    """Start pipelines; close them at the end."""
    started = []

    def start(*takers, policy=None, alarms=None, **plan):
        policy = policy or RoutePolicy(retry=RetryPolicy(wait_s_first=0.01, wait_s_max=0.05))
        pipeline = Pipeline(
            PipelinePlan(
                directory=tmp_path,
                resource={},
                limits=SpoolLimits(
                    segment_bytes=65536, free_bytes_min=0, sync_each=plan.pop("sync_each", False)
                ),
                poll_s=0.005,
                alarm=lambda *alarm: None if alarms is None else alarms.append(alarm),
                **plan,
            ),
            [Route(destination=taker, policy=policy) for taker in takers],
        )
        pipeline.start()
        started.append(pipeline)
        return pipeline

    yield start
    for pipeline in started:
        pipeline.close(1)
