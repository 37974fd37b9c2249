package says

// brokerWords are what brokers of messages and mail servers say.
var brokerWords = []wording{
	{Store, Behind, []string{"reason=low on memory", "maximum consumers limit reached", "maximum number of queues", "maximum number of streams", "insufficient resources", "memory usage limit reached", "usage manager memory limit reached", "store limit … reached", "resource limit exceeded: queue"}},
	{Disk, Behind, []string{"reason=low on disk", "temp storage limit", "452 4.3.1", "insufficient system storage", "disk_free_limit", "failed to write to the log directory"}},
	{Queue, Writer, []string{"local: queue full", "failed to allocate memory within the configured max blocking time", "421 4.3.2", "outgoing messages are being dropped"}},
	{Large, Writer, []string{"maximum payload exceeded", "maximum payload violation", "552 5.3.4", "552 5.2.3", "message size exceeds", "content_too_large", "max-message-size"}},
	{Credentials, Behind, []string{"nats: authorization violation", "'authorization violation'", "535 5.7.8", "530 5.7.0", "sasl authentication error", "connection refused: not authorised", "connection refused: bad user name or password"}},
	{Forbidden, Behind, []string{"permissions violation for", "permissions violation: "}},
	{Schema, Behind, []string{"nats: stream not found", "unknown topic or partition", "nats: no stream matches subject", "does not host this topic-partition"}},
	{Connections, Behind, []string{"number of channels opened"}},
	{NoServer, Behind, []string{"no responders available", "nats: no servers available", "all brokers are down", "brokers are down", "no available brokers", "client has run out of available brokers", "group coordinator not available", "no leader for partition"}},
	{Closed, Behind, []string{"local: broker transport failure", "nats: stale connection", "'stale connection'"}},
	{Slow, Behind, []string{"local: message timed out", "local: timed out", "nats: timeout", "expiring … record(s) for"}},
	{SlowReader, Behind, []string{
		"slow consumer detected", "slow consumer, messages dropped", "nats: slow consumer", "delivery acknowledgement on channel … timed out", "maximum poll interval", "longer than the configured max.poll.interval.ms", "consumer poll timeout has expired",
		"time between subsequent calls to poll", "slow consumer … aborted",
	}},
}

// brokerNames are the errors of Kafka's protocol, of AMQP and of brokers' clients.
var brokerNames = []naming{
	{Schema, Behind, "UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_ID UNKNOWN_TOPIC_OR_PART InvalidTopicException"},
	{NoServer, Behind, "LEADER_NOT_AVAILABLE BROKER_NOT_AVAILABLE COORDINATOR_NOT_AVAILABLE GROUP_COORDINATOR_NOT_AVAILABLE NoBrokersAvailable NodeNotReadyError ALL_BROKERS_DOWN"},
	{Slow, Behind, "REQUEST_TIMED_OUT KafkaTimeoutError MSG_TIMED_OUT"},
	{Large, Writer, "MESSAGE_TOO_LARGE RECORD_TOO_LARGE RECORD_LIST_TOO_LARGE MSG_SIZE_TOO_LARGE MessageSizeTooLarge RECORD_BATCH_TOO_LARGE"},
	{Starting, Behind, "COORDINATOR_LOAD_IN_PROGRESS GROUP_LOAD_IN_PROGRESS CONNECTION_FORCED"},
	{Forbidden, Behind, "TOPIC_AUTHORIZATION_FAILED GROUP_AUTHORIZATION_FAILED CLUSTER_AUTHORIZATION_FAILED TRANSACTIONAL_ID_AUTHORIZATION_FAILED DELEGATION_TOKEN_AUTHORIZATION_FAILED"},
	{Credentials, Behind, "SASL_AUTHENTICATION_FAILED ILLEGAL_SASL_STATE"},
	{ReadOnly, Behind, "NOT_ENOUGH_REPLICAS NOT_ENOUGH_REPLICAS_AFTER_APPEND"},
	{Rate, Writer, "THROTTLING_QUOTA_EXCEEDED"},
	{Queue, Writer, "BufferExhausted BufferExhaustedException"},
	{SlowReader, Behind, "MAX_POLL_EXCEEDED SlowConsumerException"},
}
