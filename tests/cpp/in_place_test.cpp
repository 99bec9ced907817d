/*
 * FlatBuffers built and read in place, there and back, with whatever version of
 * FlatBuffers' headers this was compiled with: so no schema is compiled.
 */
#include "cpp/pair.hpp"

#include <shmipc/flatbuffers.hpp>

#include <cstdint>
#include <vector>

namespace {

/* table Sheet { numbers: [ulong] (force_align: 32); } */
struct sheet : flatbuffers::Table {
    static constexpr flatbuffers::voffset_t NUMBERS = 4;

    const flatbuffers::Vector<std::uint64_t> *numbers() const {
        return GetPointer<const flatbuffers::Vector<std::uint64_t> *>(NUMBERS);
    }
    template <class Verifier> bool Verify(Verifier &verifier) const {
        return VerifyTableStart(verifier) && VerifyOffset(verifier, NUMBERS) &&
               verifier.VerifyVector(numbers()) && verifier.EndTable();
    }
};

void build(flatbuffers::FlatBufferBuilder &builder, const std::vector<std::uint64_t> &numbers) {
    builder.ForceVectorAlignment(numbers.size(), sizeof numbers[0], 32);
    const auto vector = builder.CreateVector(numbers);
    const auto start = builder.StartTable();
    builder.AddOffset(sheet::NUMBERS, vector);
    builder.Finish(flatbuffers::Offset<sheet>(builder.EndTable(start)), "SHEE");
}

std::vector<std::uint64_t> read(shmipc::byte_view data) {
    const auto *seen = shmipc::verified<sheet>(data, "SHEE");
    must(seen != nullptr);
    must(reinterpret_cast<std::uintptr_t>(seen->numbers()->Data()) % 32 == 0);
    return {seen->numbers()->begin(), seen->numbers()->end()};
}

void double_all(const shmipc::request &request, shmipc::response &response) {
    std::vector<std::uint64_t> numbers = read(request.data());
    for (std::uint64_t &number : numbers)
        number *= 2;
    shmipc::response_builder builder(response);
    build(builder, numbers);
    must(!builder.spilled());
    must(builder.respond().has_value());
}

void build_and_ask(shmipc::slot &slot, std::size_t count) {
    shmipc::request_builder builder(slot);
    build(builder, std::vector<std::uint64_t>(count, 21));
    must(!builder.spilled());
    const auto answer = builder.call();
    must(answer.has_value());
    must(answer->type == shmipc::type_flatbuffer);
    must(read(answer->data) == std::vector<std::uint64_t>(count, 42));
}

void there_and_back() {
    testing::pair p{shmipc::host_config()};
    const auto server = testing::serve(p.guest, double_all);
    auto slot = p.host.claim().value();
    for (std::size_t count : std::vector<std::size_t>{1, 7, 100, 400})
        build_and_ask(slot, count);

    /* Larger than the buffer: refused, and the slot is as good as before. */
    shmipc::request_builder builder(slot);
    build(builder, std::vector<std::uint64_t>(1000, 1));
    must(builder.spilled());
    must(builder.call().error().code() == shmipc::errc::too_large);
    build_and_ask(slot, 400);
}

} // namespace

int main() {
    std::printf("FlatBuffers %d.%d.%d\n", FLATBUFFERS_VERSION_MAJOR, FLATBUFFERS_VERSION_MINOR,
                FLATBUFFERS_VERSION_REVISION);
    return testing::run({SCENE(there_and_back)});
}
