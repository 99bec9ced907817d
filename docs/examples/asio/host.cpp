/* A host in an asio loop: it makes calls, several in flight, and serves those of the guest, in one
   thread that waits in the loop alone. */
#include <array>
#include <asio.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <shmipc/shmipc.hpp>
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t factor = 3;
constexpr std::size_t depth = 8; /* calls in flight */
constexpr auto tick = 20ms;
constexpr int rounds = 4;

/* The descriptor is the peer's: the loop lets go of it, where it would close its own. */
class borrowed_descriptor : public asio::posix::stream_descriptor {
public:
    using asio::posix::stream_descriptor::stream_descriptor;
    borrowed_descriptor(const borrowed_descriptor &) = delete;
    borrowed_descriptor &operator=(const borrowed_descriptor &) = delete;
    ~borrowed_descriptor() { release(); }
};

class program {
public:
    explicit program(const char *region)
        : host_(shmipc::host::create(region, config()).value()),
          readable_(loop_, host_.descriptor().value()), timer_(loop_), interrupt_(loop_, SIGINT) {}

    void run() {
        await_readable();
        send_and_await_tick();
        interrupt_.async_wait([this](auto, int) { loop_.stop(); });
        std::cout << "press Ctrl-C to end" << std::endl;
        loop_.run();
    }

    /* Calls under way are given up: nobody would take their answers, or answer what their handlers
       ask. */
    void end() {
        for (shmipc::slot &slot : slots_)
            slot = {};
        (void)host_.shutdown(1s);
        std::cout << "interrupted: " << answered_ << " calls answered, " << late_
                  << " of them late, " << failed_ << " failed, " << wrong_ << " wrong; " << asked_
                  << " served\n";
    }

private:
    static shmipc::host_config config() {
        shmipc::host_config config;
        config.host_slots = depth;
        return config;
    }

    void await_readable() {
        readable_.async_wait(asio::posix::stream_descriptor::wait_read, [this](auto error) {
            if (error)
                return;
            look();
            await_readable();
        });
    }

    /* A call for each slot that is free. */
    void send_and_await_tick() {
        ticks_++;
        for (std::size_t i = 0; i < depth; i++)
            if (!slots_[i].native().peer)
                send(i);
        look();
        timer_.expires_after(tick);
        timer_.async_wait([this](auto error) {
            if (!error)
                send_and_await_tick();
        });
    }

    /* Nothing here waits. The call waits for a guest, if none is there. */
    void send(std::size_t i) {
        auto claimed = host_.claim(0s);
        if (!claimed)
            return;
        numbers_[i] = ++last_number_;
        sent_at_[i] = ticks_;
        if (claimed->send_copy(shmipc::bytes_of(numbers_[i]), shmipc::type_normal,
                               shmipc::wait_ready))
            slots_[i] = *std::move(claimed);
    }

    /* Takes what is there, and arms the descriptor for what is not. If more has come meanwhile it
       looks again; but not for ever, for the loop has more to do: then the descriptor is readable,
       and the loop comes back. */
    void look() {
        bool there = true;
        for (int round = 0; there && round < rounds; round++) {
            /* An error ends the program: with it the descriptor would be readable for ever. */
            host_.poll([this](auto &request, auto &response) { answer(request, response); })
                .value();
            take_events();
            take_answers();
            there = host_.arm(shmipc::arm_requests | shmipc::arm_events, slots_).value();
        }
    }

    /* The guest asks for the factor, while the host waits for its product. */
    void answer(const shmipc::request &request, shmipc::response &response) {
        if (request.data().empty()) {
            response.write(shmipc::bytes_of(factor));
            asked_++;
        } else {
            response.fail("a question of " + std::to_string(request.data().size()) + " bytes");
        }
    }

    void take_events() {
        while (const auto event = host_.next_event(0s)) {
            const char *happened = event->kind == shmipc::event_kind::attached ? "is there"
                                   : event->kind == shmipc::event_kind::left   ? "has left"
                                                                               : "has died";
            std::cout << "guest " << event->peer << ' ' << happened << std::endl;
        }
    }

    void take_answers() {
        for (std::size_t i = 0; i < depth; i++)
            if (slots_[i].native().peer && slots_[i].ready()) {
                take(slots_[i].receive(0s), i);
                slots_[i] = {};
            }
    }

    void take(const shmipc::result<shmipc::message> &answer, std::size_t i) {
        if (!answer) {
            failed_++; /* the guest died while its handler ran; or the handler failed */
            return;
        }
        wrong_ += answer->as<std::uint64_t>() != numbers_[i] * factor;
        late_ += sent_at_[i] != ticks_;
        if (++answered_ % 100 == 0)
            std::cout << answered_ << " answers" << std::endl;
    }

    asio::io_context loop_;
    shmipc::host host_;
    borrowed_descriptor readable_; /* after the host, so destroyed before it */
    asio::steady_timer timer_;
    asio::signal_set interrupt_;

    std::array<shmipc::slot, depth> slots_;
    std::array<std::uint64_t, depth> numbers_ = {};
    std::array<unsigned, depth> sent_at_ = {}; /* ticks */
    std::uint64_t last_number_ = 0;
    unsigned ticks_ = 0, answered_ = 0, late_ = 0, wrong_ = 0, failed_ = 0, asked_ = 0;
};

} // namespace

int main(int argc, char **argv) try {
    program program(argc > 1 ? argv[1] : "asio");
    program.run();
    program.end();
    return 0;
} catch (const std::exception &failure) {
    std::cerr << failure.what() << '\n';
    return 1;
}
