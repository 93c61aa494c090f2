"""An OpenID provider on this machine: it signs everybody in as `claims`, with real signatures and PKCE."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

CLIENT_ID, CLIENT_SECRET = "conversations", "planted-client-secret"
CALLBACK = "/admin/sign-in/callback/"
Claims = dict[str, Any]


class IdentityProvider:
    """A provider whose answers a test can change.

    `claims` are about the person, `alter` changes all claims of the next ID tokens before they are signed, and `sign`
    replaces the signing.
    """

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims: Claims = {}
        self.userinfo: Claims | None = None  # further claims, which the ID token does not have
        self.alter: Callable[[Claims], Claims] = dict
        self.sign: Callable[[Claims], str] = self.sign_with_key
        self.keys = [_rsa_key("first")]
        self.answers: dict[str, tuple[int, Any]] = {}  # instead of the regular ones, by path
        self.requests: list[str] = []  # paths
        self._codes: dict[str, dict[str, str]] = {}
        self._access_tokens: set[str] = set()

    @property
    def settings(self) -> dict[str, str]:
        return {"OIDC_ISSUER": self.issuer, "OIDC_CLIENT_ID": CLIENT_ID, "OIDC_CLIENT_SECRET": CLIENT_SECRET}

    def rotate_keys(self) -> None:
        """Replace the key by one of another kind. Tokens are signed by it from now on."""
        kid = f"rotated-{len(self.requests)}"
        self.keys = [ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})]

    def sign_with_key(self, claims: Claims, key: Any = None) -> str:
        key = key or self.keys[0]
        header = {"alg": key.get("alg"), "kid": key.get("kid")}
        return jwt.encode(header, claims, key, registry=JWSRegistry(algorithms=[header["alg"]]))

    def sign_with_secret(self, claims: Claims) -> str:
        return self.sign_with_key(claims, OctKey.import_key(CLIENT_SECRET, {"alg": "HS256", "kid": "first"}))

    def sign_with_foreign_key(self, claims: Claims) -> str:
        foreign = RSAKey.import_key(_rsa_key("foreign").as_dict(private=True) | {"kid": "first"})
        return self.sign_with_key(claims, foreign)

    def leave_unsigned(self, claims: Claims) -> str:
        parts = ({"alg": "none"}, claims)
        return ".".join(_base64url(json.dumps(part).encode()) for part in parts) + "."

    def get(self, target: str, authorization: str) -> tuple[int, Any]:
        path = urlsplit(target).path
        self.requests.append(path)
        if path in self.answers:
            return self.answers[path]
        match path:
            case "/.well-known/openid-configuration":
                return 200, self._metadata()
            case "/keys":
                return 200, {"keys": [key.as_dict(private=False) for key in self.keys]}
            case "/authorize":
                return 302, self._authorize(dict(parse_qsl(urlsplit(target).query)))
            case "/userinfo" if authorization.removeprefix("Bearer ") in self._access_tokens:
                return 200, {"sub": self.claims.get("sub"), **(self.userinfo or {})}
            case "/logout":
                return 200, {"query": parse_qs(urlsplit(target).query)}
        return 404, {}

    def post(self, target: str, authorization: str, body: str) -> tuple[int, Any]:
        self.requests.append(target)
        if target in self.answers:
            return self.answers[target]
        form = dict(parse_qsl(body))
        request = self._codes.pop(form.get("code", ""), None)
        basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request is None or authorization != basic or form["redirect_uri"] != request["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if _base64url(hashlib.sha256(form["code_verifier"].encode()).digest()) != request["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        access_token, now = token_urlsafe(), int(time.time())
        self._access_tokens.add(access_token)
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": request["nonce"]}
        id_token = self.sign(self.alter({**claims, **self.claims}))
        return 200, {"access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token}

    def _authorize(self, request: dict[str, str]) -> str:
        assert request["client_id"] == CLIENT_ID
        assert request["response_type"] == "code"
        assert request["code_challenge_method"] == "S256"
        assert "openid" in request["scope"].split()
        assert urlsplit(request["redirect_uri"]).path == CALLBACK
        code = token_urlsafe()
        self._codes[code] = request
        return f"{request['redirect_uri']}?{urlencode({'code': code, 'state': request['state']})}"

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        }


@contextmanager
def running_provider() -> Iterator[IdentityProvider]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # Headers and body in one packet: otherwise the client acknowledges the headers 40 ms later.

        def do_GET(self) -> None:
            self._send(*provider.get(self.path, self.headers.get("Authorization", "")))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*provider.post(self.path, self.headers.get("Authorization", ""), body))

        def _send(self, status: int, body: Any) -> None:
            self.send_response(status)
            content = b"" if status == 302 else json.dumps(body).encode()
            if status == 302:
                self.send_header("Location", body)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = IdentityProvider(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


@cache
def _rsa_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
