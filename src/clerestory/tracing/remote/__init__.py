"""X-Ray's sampling rules: asked for in the background, decided on here.

    X-Ray, its daemon, our server ~~> poller -> [remote] -> span rules, xray_recorder

https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sampling.html
"""
