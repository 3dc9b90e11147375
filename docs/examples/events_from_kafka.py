"""Events from Kafka in ten lines: the topic is keyed by campaign, and in order within each.

`python docs/examples/events_from_kafka.py 127.0.0.1:9092 [TOPIC [GROUP]]` needs aiokafka. Killed
and started again, it goes on where its group is: the last events may come again, with the same ids.
"""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def follow(servers: str, topic: str = "campaign.events", group: str = "example") -> None:
    consumer = AIOKafkaConsumer(
        topic,  # Subscribed to: each partition is one member's, and new ones are noticed.
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        async for message in consumer:
            event = json.loads(message.value)
            print(event["subject"], event["type"], event["data"], flush=True)
            await consumer.commit()  # After what was done with it: a crash repeats, never skips.


if __name__ == "__main__":
    asyncio.run(follow(*sys.argv[1:]))
