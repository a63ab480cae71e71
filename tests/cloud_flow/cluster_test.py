"""Three nodes on this machine; see three_nodes.py. It is skipped, aloud, where no RabbitMQ is installed."""
import sys

from brokers import Place


def main():
    try:
        Place()
    except AssertionError as error:
        print(f"SKIPPED: {error}")
        return 77
    import three_nodes
    three_nodes.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
