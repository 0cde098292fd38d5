//! What the server does with a connection whose fault is in the bytes: steps, and an end.
//!
//! hyper hands the connection over; from then on nothing but the script writes to it. A script ends when it is done, or when
//! the client goes.

use std::time::Duration;

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::envelope::Answer;
use crate::wire::Wire;

pub(crate) struct Script {
    pub steps: Vec<Step>,
    pub ending: Ending,
    /// The answer to give over HTTP/2, which has no bytes of its own to damage; none where `ending` is all that is left.
    pub on_http2: Option<Answer>,
}

pub(crate) enum Step {
    Write(Bytes),
    Drip(Bytes, Duration),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN.
    Close,
    /// RST.
    Reset,
    /// Nothing more, until the client goes.
    Hold,
    /// FIN, but still reading, so that the client can send the rest and then see the answer.
    CloseForWriting,
}

/// Plays the script to its end.
pub(crate) async fn play(mut wire: Wire, script: Script) {
    let (reader, writer) = tokio::io::split(&mut wire);
    tokio::select! {
        () = client_gone(reader) => {}
        _ = write(writer, script.steps, script.ending) => {}
    }
    if script.ending == Ending::Reset {
        wire.reset_when_dropped();
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, steps: Vec<Step>, ending: Ending) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Write(bytes) => writer.write_all(&bytes).await?,
            Step::Drip(bytes, interval) => {
                for byte in bytes {
                    writer.write_u8(byte).await?;
                    writer.flush().await?;
                    if !interval.is_zero() {
                        tokio::time::sleep(interval).await;
                    }
                }
            }
        }
        writer.flush().await?;
    }
    match ending {
        Ending::Close => writer.shutdown().await?,
        Ending::Reset => {}
        Ending::Hold => std::future::pending().await,
        Ending::CloseForWriting => {
            writer.shutdown().await?;
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// Reads and drops what the client still sends, until it closes.
async fn client_gone(mut reader: impl AsyncRead + Unpin) {
    let mut buffer = [0; 4096];
    while matches!(reader.read(&mut buffer).await, Ok(1..)) {}
}
