package says

// runtimeWords are what runtimes and libraries of languages say.
var runtimeWords = []wording{
	{Pool, Writer, []string{
		"prior to obtaining a connection from the pool", "could not obtain a connection from the pool", "pool timed out", "dropped from queue after", "couldn't get a connection", "no connections available", "pool has been exhausted",
		"pool reached max size", "pool error timeout", "pending acquire queue", "acquire operation took longer", "timeout waiting for idle object", "unable to obtain connection from", "timed out while waiting for an open connection",
	}},
	{Workers, Writer, []string{
		"can't create thread", "failed to create new os thread", "cannot create thread", "failed to create thread", "failed to spawn thread", "thread creation failed", "error creating thread", "unable to start thread", "threadpool starvation", "thread pool starvation", "could not start thread",
		"cannot spawn", "fork() failed", "can't fork", "unable to fork", "fork failed", "cannot create child process", "could not create worker", "all worker threads busy", "not enough threads", "no threads available", "too many processes",
	}},
	{Memory, Writer, []string{
		"outofmemoryerror: metaspace", "direct buffer memory", "failed to allocate memory", "memory exhausted", "unable to allocate memory", "last few gcs", "memory allocation of … failed", "failed to reserve memory", "not enough memory", "mmap … cannot allocate", "insufficient memory",
	}},
	{Slow, Behind, []string{"timeout reading from socket", "timeouterror: timed out", "no response received", "no answer within", "no response within", "did not respond within", "did not answer within", "socket.timeout"}},
	{NoConnect, Behind, []string{"timeout connecting to", "unable to connect to initial hosts"}},
	{Rate, Writer, []string{"enhance_your_calm", "enhance your calm", "too many pings"}},
	{NoServer, Behind, []string{"does not permit further calls", "hystrix: circuit open", "breaker open", "the circuit is now open", "circuit has been opened", "no servers available", "no instances available", "load balancer does not contain an instance", "no provider available"}},
	{Killed, Writer, []string{"terminating timed out worker", "worker … failed to check in within", "execution time limit", "softtimelimitexceeded", "hard time limit", "timelimitexceeded", "worker failed to boot"}},
	{Crashed, Writer, []string{"all goroutines are asleep", "concurrent map", "thread 'main' panicked", "worker exited prematurely", "sigbus", "sigill", "stack smashing detected", "double free or corruption", "free(): invalid", "terminate called after throwing", "a fatal error has been detected by the java runtime"}},
	{Exception, Writer, []string{"panicked at", "uncaught (in promise)", "caught exception", "no route matches", "undefined variable", "undefined index", "undefined array key", "undefined local variable", "call to undefined", "call to a member function", "class not found", "division by zero", "divide by zero", "cannot destructure", "unexpected end of json", "cannot unmarshal", "invalid character '…' looking for", "assertion failed", "stack level too deep", "stack overflow", "cannot cast", "object reference not set"}},
	{Credentials, Writer, []string{"jwt malformed", "invalid jwt", "unable to find a signing key", "no applicable key found", "unknown key id", "unknown kid", "could not verify token", "invalid access token", "access token expired", "token revoked", "token was revoked", "signature verification failed", "invalid client credentials", "invalid_client", "invalid_grant", "security token included in the request is"}},
	{Forbidden, Writer, []string{"insufficient_scope", "insufficient scope", "not allowed to perform"}},
}

// runtimeNames are classes of exceptions and codes of errors, by what they stand for.
var runtimeNames = []naming{
	{
		Pool, Writer, "PoolTimeout PoolTimedOut PoolTimeoutError PoolExhausted ConnectionPoolTimeout ConnectionRequestTimeout PoolAcquireTimeout PoolAcquirePendingLimit ConnectionPoolTimeoutException KnexTimeoutError ConnectionAcquireTimeout SequelizeConnectionAcquireTimeoutError BulkheadFull BulkheadRejected " +
			"NoConnectionsAvailable EmptyPoolError PoolTooManyWaiting ExhaustedPoolError PoolTimeoutException ResourceAcquisitionTimeout",
	},
	{Workers, Writer, "RejectedExecution TaskRejected ThreadPoolExhausted ThreadPoolQueueFull BrokenThreadPool"},
	{NoServer, Behind, "CallNotPermitted BrokenCircuit IsolatedCircuit CircuitBreakerOpen CircuitBreakerOpenException CircuitOpenException OpenCircuitError CircuitBreakerError CircuitOpenError EOPENBREAKER"},
	{Rate, Writer, "RequestNotPermitted RateLimitExceeded RateLimitError RateLimiterRejected RateLimitRejected TooManyRequests ThrottlingError ERR_TOO_MANY_REQUESTS"},
	{Large, Writer, "MaxUploadSizeExceeded SizeLimitExceeded FileSizeLimitExceeded RequestTooBig RequestDataTooBig TooManyFieldsSent PayloadTooLarge PayloadTooLargeError FST_ERR_CTP_BODY_TOO_LARGE RequestSizeLimitExceeded DataBufferLimit HPE_HEADER_OVERFLOW TooLongFrame TooLongHttpHeader"},
	{Locking, Behind, "LockAcquisitionException CannotAcquireLock DeadlockLoserDataAccess PessimisticLock PessimisticLockingFailure LockTimeoutException LockWaitTimeout LockNotAvailable CannotSerializeTransaction DeadlockException"},
	{Schema, Behind, "BadSqlGrammar SQLGrammarException UndefinedTable UndefinedColumn NoDatabaseError UnknownAttributeError UndefinedFunction SQLSyntaxErrorException InvalidObjectName NoSuchColumnError"},
	{Late, Behind, "QueryCanceled SQLTimeoutException MySQLTimeoutException MySQLQueryInterruptedException"},
	{Credentials, Writer, "unauthorized BadCredentials ExpiredJwt ExpiredSignature InvalidBearerToken TokenExpired TokenExpiredError JsonWebTokenError InvalidTokenError InvalidSignature InvalidSignatureError ImmatureSignature SecurityTokenExpired SecurityTokenInvalidSignature ExpiredToken ExpiredTokenException SignatureDoesNotMatch InvalidAccessKeyId UnrecognizedClientException RequestTimeTooSkewed InvalidClientTokenId OAuth2AuthenticationException NotAuthenticated AuthenticationCredentialsNotFound JWSSignatureVerificationFailed ERR_JWT_EXPIRED ERR_JWS_SIGNATURE_VERIFICATION_FAILED ERR_JWKS_NO_MATCHING_KEY SequelizeAccessDeniedError"},
	{Forbidden, Writer, "UnauthorizedOperation AuthorizationDenied AccessDeniedException PermissionDeniedError UnauthorizedAccess"},
	{Certificate, Behind, "SSLHandshakeException"},
	{Memory, Writer, "OutOfMemory OutOfMemoryError OutOfDirectMemory MemoryError NoMemoryError ERR_WORKER_OUT_OF_MEMORY InsufficientMemory"},
	{Crashed, Writer, "WorkerLostError BrokenProcessPool"},
	{
		Exception, Writer, "NullPointer NullReference ArrayIndexOutOfBounds StringIndexOutOfBounds IndexOutOfBounds IndexOutOfRange NumberFormat ConcurrentModification UnsupportedOperation NoSuchElement ClassNotFound ClassCast NoSuchField NoSuchMethod NoClassDefFound ExceptionInInitializer LinkageError StackOverflow " +
			"BeanCreation NoSuchBeanDefinition UnsatisfiedDependency IllegalStateException IllegalArgumentException LazyInitialization HttpMessageConversion JsonMapping JsonProcessing InvalidDefinition MismatchedInput UnrecognizedProperty " +
			"ZeroDivisionError ArithmeticError ArithmeticException UnboundLocalError NameError OverflowError NotImplementedError UnicodeDecodeError UnicodeEncodeError TemplateNotFound TemplateDoesNotExist ImproperlyConfigured AssertionError RuntimeError KeyError AttributeError IndexError ValueError TypeError RecursionError ModuleNotFoundError JSONDecodeError UnpicklingError BadZipFile DecimalInvalidOperation " +
			"ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE ERR_UNHANDLED_REJECTION ERR_MODULE_NOT_FOUND ERR_ASSERTION ERR_OUT_OF_RANGE ERR_HTTP_HEADERS_SENT ERR_INVALID_URL ERR_UNHANDLED_ERROR MODULE_NOT_FOUND ReferenceError RangeError SyntaxError URIError " +
			"NoMethodError FrozenError SystemStackError LocalJumpError FiberError UninitializedConstant ArgumentCountError UnhandledMatchError DivisionByZeroError " +
			"KeyNotFoundException InvalidCast ObjectDisposed ArgumentNull ArgumentOutOfRange FormatException InvalidOperationException",
	},
	{BadAnswer, Writer, "InvalidChunkLength TransferEncodingError ContentDecodingError"},
}
