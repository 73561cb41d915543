<?php
function signed(string $path, int $seconds, string $secret): string
{
    $query = "expires=" . (time() + $seconds);
    $digest = hash_hmac("sha256", "GET\n$path\n$query", $secret, true);
    return "$path?$query&signature=" . rtrim(strtr(base64_encode($digest), "+/", "-_"), "=");
}

echo signed($argv[1], 3600, $argv[2]), "\n";
