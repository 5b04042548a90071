"""A CDK app of one's own with Millrace in it: `pip install "millrace[deploy]"`, then `cdk deploy --all`."""

import os
from pathlib import Path

from aws_cdk import App, Duration, Environment, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from millrace.infra.deployment import Millrace
from millrace.infra.options import Options

HERE = Path(__file__).parent

app = App()
env = Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="eu-central-1")
millrace = Millrace(
    app,
    "Orders",
    configuration=HERE / "orders.yaml",
    options=Options(name="orders", max_concurrency=20),
    env=env,
)

# What is around it is yours: here somebody is told if files wait for more than ten minutes.
watch = Stack(app, "OrdersWatch", env=env)
alarm = cloudwatch.Alarm(
    watch,
    "FilesWait",
    metric=millrace.storage.queues["inbox"].metric_approximate_age_of_oldest_message(period=Duration.minutes(5)),
    threshold=600,
    evaluation_periods=1,
)
alarm.add_alarm_action(actions.SnsAction(sns.Topic(watch, "Operators")))

app.synth()
